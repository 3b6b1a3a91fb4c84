"""The numeric contract of TensorFlow: every change to its behaviour and to Keras', with the reason.

Whoever raises their versions checks this list. `fmnist.stage.contract` sets the switches that are
read when the libraries load; `apply` makes the other changes:

1. Operators are deterministic. Otherwise sums depend on the order in which threads finish.
2. The number of threads is a parameter, not the machine's. One and two give different networks.
3. Dense uses `fmnist.network.product`. Otherwise Eigen computes some products, in an order that
   depends on the processor's instructions and on the sizes of its caches.
4. Conv2D uses `fmnist.network.convolution`. Otherwise oneDNN computes its gradients, in an order
   that depends on the processor.
5. BatchNormalization uses the functions of `fmnist.network.batch_normalization`. TensorFlow's own
   start from a reciprocal square root, which processors estimate each in their own way.
6. MaxPooling2D uses `fmnist.network.pooling`, which is faster and has the same bits.
7. Dropout draws its masks by ThreeFry in XLA (Salmon et al. 2011,
   https://doi.org/10.1145/2063384.2063405). The algorithm that TensorFlow chooses by itself is over
   a hundred times slower in XLA.
8. SGD with momentum rounds each product before it subtracts one from the other. Otherwise XLA
   fuses one of them with the subtraction, a different one on ARM.
9. CategoricalCrossentropy, the loss with label smoothing, uses `fmnist.network.cross_entropy`,
   whose gradient has no such difference.

3 to 9 replace functions of TensorFlow while an object of that class is called, and nowhere else.
Tried with TensorFlow 2.21 and Keras 3.15.
"""

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from fmnist.network import batch_normalization, convolution, cross_entropy, pooling, product
from fmnist.network.quiet import quiet

Replacement = tuple[ModuleType, str, Callable]  # of the function of that name

# Layers whose bits were compared between processors.
COVERED = (
    *(layers.InputLayer, layers.Flatten, layers.Reshape, layers.Dense, layers.Dropout),
    *(layers.Conv2D, layers.MaxPooling2D, layers.BatchNormalization, layers.Activation, layers.Add),
)


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
        layers.Conv2D,
        (tf.nn, "convolution", convolution.convolution),
        where=convolution.is_covered,
    )
    _replace_in(
        layers.MaxPooling2D,
        (tf.nn, "max_pool", pooling.max_pool),
        where=pooling.is_covered,
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
    _replace_in(
        keras.optimizers.SGD,
        (tf, "multiply", product.elementwise),
        method="update_step",
        where=lambda optimizer: optimizer.momentum,
    )
    _replace_in(
        keras.losses.CategoricalCrossentropy,
        (tf.nn, "softmax_cross_entropy_with_logits", cross_entropy.cross_entropy),
    )
    keras.config.disable_interactive_logging()
    with quiet():
        tf.constant(0)  # starts the runtime, which logs the processor's features


def warn_of_other_layers(model: keras.Model) -> None:
    """Warn of each class of layers in ``model`` that is not `COVERED`, or not as it is used."""
    others = {type(layer).__name__ for layer in model.layers if not _is_covered(layer)}
    for name in sorted(others):
        warnings.warn(
            f"{name}: not under the numeric contract, so its results may differ between processors"
            " (docs/contract.md)",
            stacklevel=2,
        )


def _is_covered(layer: layers.Layer) -> bool:
    if type(layer) is layers.Conv2D:
        return convolution.is_covered(layer)
    return type(layer) in COVERED


def _replace_in(
    owner: type,
    *functions: Replacement,
    method: str = "call",
    where: Callable[[Any], bool] = lambda instance: True,
) -> None:
    """Replace functions of modules while a method of a class runs; once for each class."""
    original = getattr(owner, method)
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def changed(self: Any, *arguments: Any, **options: Any) -> Any:
        with _replaced(functions if where(self) else ()):
            return original(self, *arguments, **options)

    setattr(owner, method, changed)


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
