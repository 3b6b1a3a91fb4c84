"""The blocks of matrix products are cut by fixed sizes of caches."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from fmnist import eigen

# The gradient of a Dense layer's weights in a short last batch, which TensorFlow leaves to one
# thread: Eigen cuts it by the size of the L1 cache.
PRODUCT = """
import hashlib
from fmnist import contract, eigen, tensorflow_contract
eigen.CACHE_SIZES = {sizes} or eigen.CACHE_SIZES
contract.apply()
tensorflow_contract.apply(threads=2)
import numpy as np, tensorflow as tf
random = np.random.default_rng(0)
images, errors = (random.standard_normal((21, n), np.float32) for n in (784, 64))
gradient = tf.function(lambda: tf.matmul(images, errors, transpose_a=True), jit_compile=True)
print(hashlib.sha256(gradient().numpy()).hexdigest())
"""
HASWELL, ZEN5 = eigen.CACHE_SIZES, (48 << 10, 1 << 20, 32 << 20)


def digest(sizes: tuple[int, int, int] | None) -> str:
    program = PRODUCT.format(sizes=sizes)
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return result.stdout


def test_the_sizes_decide_the_last_digits_and_the_contract_sets_them():
    assert digest(None) == digest(HASWELL) != digest(ZEN5)


def test_a_library_that_is_not_loaded_is_refused(tmp_path):
    with pytest.raises(LookupError, match="libother.so is not loaded"):
        eigen.set_cache_sizes([tmp_path / "libother.so"])


def test_a_library_without_the_variable_is_refused():
    (other,) = Path(np.__file__).parent.glob("_core/_multiarray_umath*.so")
    with pytest.raises(LookupError, match="names no _ZZN5Eigen8internal20manage_caching_sizes"):
        eigen.set_cache_sizes([other])
