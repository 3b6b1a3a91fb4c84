"""The numeric contract of TensorFlow: every change to its behaviour and to Keras', with the reason.

Whoever raises their versions checks this list. `fmnist.stage.contract` sets the switches that are
read when the libraries load; `apply` makes the other changes:

1. Operators are deterministic. Otherwise sums depend on the order in which threads finish.
2. The number of threads is a parameter, not the machine's. One and two give different networks.
3. Dense uses `fmnist.network.product`. Otherwise Eigen computes some products, in an order that
   depends on the processor's instructions and on the sizes of its caches.
4. BatchNormalization uses the functions of `fmnist.network.batch_normalization`. TensorFlow's own
   start from a reciprocal square root, which processors estimate each in their own way.
5. Dropout draws its masks by ThreeFry in XLA (Salmon et al. 2011,
   https://doi.org/10.1145/2063384.2063405). The algorithm that TensorFlow chooses by itself is over
   a hundred times slower in XLA.

3, 4 and 5 replace functions of TensorFlow while a layer of that class is called, and nowhere else.
Tried with TensorFlow 2.21 and Keras 3.15.
"""

import functools
import platform
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from fmnist.network import batch_normalization, product
from fmnist.network.quiet import quiet

Replacement = tuple[ModuleType, str, Callable]  # of the function of that name

# Layers whose bits were compared between processors.
COVERED = (
    *(layers.InputLayer, layers.Flatten, layers.Reshape, layers.Dense, layers.Dropout),
    *(layers.Conv2D, layers.MaxPooling2D, layers.BatchNormalization, layers.Activation, layers.Add),
)
NOT_ON_ARM = {layers.Conv2D}  # whose gradients differ there


def apply(threads: int) -> None:
    """Make all changes, and start TensorFlow's runtime.

    Args:
        threads: within an operator (shards of its work); operators run one after another.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _replace_in(
        layers.Dense,
        (tf, "matmul", product.product),
        (tf, "tensordot", product.product),
        (tf.nn, "bias_add", product.add_bias),
    )
    _replace_in(
        layers.BatchNormalization,
        (tf.nn, "moments", batch_normalization.moments),
        (tf.nn, "batch_normalization", batch_normalization.batch_normalization),
    )
    threefry = tf.function(
        functools.partial(tf.nn.experimental.stateless_dropout, rng_alg="threefry"),
        autograph=False,
        jit_compile=True,
    )
    _replace_in(layers.Dropout, (tf.nn.experimental, "stateless_dropout", threefry))
    keras.config.disable_interactive_logging()
    with quiet():
        tf.constant(0)  # starts the runtime, which logs the processor's features


def warn_of_other_layers(model: keras.Model) -> None:
    """Warn of each class of layers in ``model`` that is not `COVERED`."""
    covered = set(COVERED) - (NOT_ON_ARM if platform.machine() == "aarch64" else set())
    classes = {type(layer) for layer in model.layers} - covered
    for name in sorted(layer.__name__ for layer in classes):
        warnings.warn(
            f"{name}: not under the numeric contract, so its results may differ between processors"
            " (docs/contract.md)",
            stacklevel=2,
        )


def _replace_in(layer: type[layers.Layer], *functions: Replacement) -> None:
    """Replace functions of modules while layers of a class are called; once for each class."""
    call = layer.call
    if hasattr(call, "__wrapped__"):
        return

    @functools.wraps(call)
    def changed(*arguments: Any, **options: Any) -> Any:
        with _replaced(functions):
            return call(*arguments, **options)

    layer.call = changed


@contextmanager
def _replaced(functions: Iterable[Replacement]) -> Iterator[None]:
    originals = [(module, name, getattr(module, name)) for module, name, _ in functions]
    for module, name, function in functions:
        setattr(module, name, function)
    try:
        yield
    finally:
        for module, name, function in originals:
            setattr(module, name, function)
