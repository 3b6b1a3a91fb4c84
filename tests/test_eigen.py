"""The blocks of matrix products are cut by fixed sizes of caches."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fmnist.network import eigen
from fmnist.network.tensorflow_contract import LIBRARIES

HASWELL, ZEN5 = eigen.CACHE_SIZES, (48 << 10, 1 << 20, 32 << 20)


def set_cache_sizes(sizes: tuple[int, int, int]) -> None:
    folder = Path(tf.sysconfig.get_lib())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eigen, "CACHE_SIZES", sizes)
        eigen.set_cache_sizes([folder / name for name in LIBRARIES])


@tf.function(jit_compile=True, autograph=False)
def gradient(images: tf.Tensor, errors: tf.Tensor) -> tf.Tensor:
    """Return the gradient of a Dense layer's weights in a short last batch.

    TensorFlow leaves it to one thread, and Eigen cuts it by the size of the L1 cache.
    """
    return tf.matmul(images, errors, transpose_a=True)


def test_the_sizes_decide_the_last_digits_and_the_contract_sets_them():
    random = np.random.default_rng(0)
    factors = [tf.constant(random.standard_normal((21, n), np.float32)) for n in (784, 64)]
    found = {"contract": gradient(*factors).numpy().tobytes()}
    for name, sizes in (("Zen 5", ZEN5), ("Haswell", HASWELL)):
        set_cache_sizes(sizes)
        found[name] = gradient(*factors).numpy().tobytes()
    assert found["contract"] == found["Haswell"] != found["Zen 5"]


def test_a_library_that_is_not_loaded_is_refused(tmp_path):
    with pytest.raises(LookupError, match="libother.so is not loaded"):
        eigen.set_cache_sizes([tmp_path / "libother.so"])


def test_a_library_without_the_variable_is_refused():
    (other,) = Path(np.__file__).parent.glob("_core/_multiarray_umath*.so")
    with pytest.raises(LookupError, match="names no _ZZN5Eigen8internal20manage_caching_sizes"):
        eigen.set_cache_sizes([other])
