"""Weights that lie in memory as matrix products read them.

A gradient of weights comes out of its product transposed, and the product of a batch reads them
transposed: see `fmnist.network.product`. If they stayed as Keras has them, every step would
transpose all weights twice. That would cost a third of an epoch of a network of Dense layers.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf


class TransposedWeights:
    """Transposed copies of weights and of their optimizer, for the steps of a compiled epoch."""

    def __init__(
        self, variables: list[keras.Variable], optimizer: keras.optimizers.Optimizer
    ) -> None:
        self._variables = variables
        self._copies = [keras.Variable(tf.transpose(variable.value)) for variable in variables]
        self._optimizer = optimizer.from_config(optimizer.get_config())
        self._optimizer.build(self._copies)
        originals = [*variables, *optimizer.variables]
        self._pairs = list(zip(originals, [*self._copies, *self._optimizer.variables], strict=True))

    def begin(self) -> None:
        """Copy everything from the originals, before the first step."""
        for original, copy in self._pairs:
            copy.assign(tf.transpose(original.value))

    def show(self) -> None:
        """Copy the weights back, before layers read them; in XLA this costs nothing."""
        for original, copy in self._pairs[: len(self._variables)]:
            original.assign(tf.transpose(copy.value))

    def update(self, rate: tf.Tensor, gradients: Sequence[tf.Tensor]) -> None:
        """Update the copies by a learning rate and gradients of the originals."""
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply([tf.transpose(gradient) for gradient in gradients], self._copies)

    def end(self) -> None:
        """Copy everything back, after the last step."""
        for original, copy in self._pairs:
            original.assign(tf.transpose(copy.value))
