"""The numeric contract of TensorFlow: every change to its behaviour and to Keras', with the reason.

Whoever raises their versions checks this list. `fmnist.stage.contract` sets the switches that are
read when the libraries load; `apply` makes the other changes:

1. Operators are deterministic. Otherwise sums depend on the order in which threads finish.
2. The number of threads is a parameter, not the machine's. One and two give different networks.
3. Eigen's cache sizes are those of a Haswell (`fmnist.network.eigen`). Otherwise the processor's
   own caches decide how a matrix product is cut into blocks, and so the order of its sums.
4. BatchNormalization uses the functions of `fmnist.network.batch_normalization`. TensorFlow's own
   start from a reciprocal square root, which processors estimate each in their own way.
5. Dropout draws its masks by ThreeFry in XLA (Salmon et al. 2011,
   https://doi.org/10.1145/2063384.2063405). The algorithm that TensorFlow chooses by itself is over
   a hundred times slower in XLA.

4 and 5 replace functions of TensorFlow while a layer of that class is called, and nowhere else.
Tried with TensorFlow 2.21 and Keras 3.15.
"""

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from fmnist.network import batch_normalization, eigen
from fmnist.network.quiet import quiet
from fmnist.stage import contract
from fmnist.stage.command import InputError

LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")  # which contain Eigen's code

# Layers whose bits were compared between processors.
COVERED = (
    *(layers.InputLayer, layers.Flatten, layers.Reshape, layers.Dense, layers.Dropout),
    *(layers.Conv2D, layers.MaxPooling2D, layers.BatchNormalization, layers.Activation, layers.Add),
)


def apply(threads: int) -> None:
    """Make all changes, and start TensorFlow's runtime.

    Args:
        threads: within an operator (shards of its work); operators run one after another.

    Raises:
        InputError: this is another build of TensorFlow than the locked one.
    """
    if not contract.unmet():
        folder = Path(tf.sysconfig.get_lib())
        try:
            eigen.set_cache_sizes([folder / name for name in LIBRARIES])
        except LookupError as error:
            raise InputError(
                f"TensorFlow: expected the build that requirements/main.lock names, found another:"
                f" {error}; run `sh commands/install.sh`"
            ) from None
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _replace_in(
        layers.BatchNormalization,
        tf.nn,
        moments=batch_normalization.moments,
        batch_normalization=batch_normalization.batch_normalization,
    )
    _replace_in(
        layers.Dropout,
        tf.nn.experimental,
        stateless_dropout=tf.function(
            functools.partial(tf.nn.experimental.stateless_dropout, rng_alg="threefry"),
            autograph=False,
            jit_compile=True,
        ),
    )
    keras.config.disable_interactive_logging()
    with quiet():
        tf.constant(0)  # starts the runtime, which logs the processor's features


def warn_of_other_layers(model: keras.Model) -> None:
    """Warn of each class of layers in ``model`` that is not `COVERED`."""
    classes = {type(layer) for layer in model.layers} - set(COVERED)
    for name in sorted(layer.__name__ for layer in classes):
        warnings.warn(
            f"{name}: not under the numeric contract, so its results may differ between processors"
            " (docs/contract.md)",
            stacklevel=2,
        )


def _replace_in(layer: type[layers.Layer], module: ModuleType, **functions: Callable) -> None:
    """Replace functions of a module while layers of a class are called; once for each class."""
    call = layer.call
    if hasattr(call, "__wrapped__"):
        return

    @functools.wraps(call)
    def changed(*arguments: Any, **options: Any) -> Any:
        with _replaced(module, functions):
            return call(*arguments, **options)

    layer.call = changed


@contextmanager
def _replaced(module: ModuleType, functions: dict[str, Callable]) -> Iterator[None]:
    originals = {name: getattr(module, name) for name in functions}
    vars(module).update(functions)
    try:
        yield
    finally:
        vars(module).update(originals)
