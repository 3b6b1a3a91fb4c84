"""Cross-entropy with smoothed labels, whose gradient has the same bits on every processor.

TensorFlow's gradient subtracts one product from another, and XLA fuses one of the two with the
subtraction, a different one on ARM. This gradient has one product: Goodfellow et al. 2016, section
6.2.2.3, https://www.deeplearningbook.org.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, **options: Any) -> tf.Tensor:
    """Return each image's loss in nats, labels and logits float32 [B, classes]: float32 [B].

    An image's labels add up to 1. Keras' CategoricalCrossentropy calls this with the arguments of
    `tf.nn.softmax_cross_entropy_with_logits`. Labels get no gradient.
    """
    return _cross_entropy(logits, labels)


@tf.custom_gradient
def _cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    logarithms = tf.nn.log_softmax(logits)

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return upstream[:, tf.newaxis] * (tf.exp(logarithms) - labels), None

    return -tf.reduce_sum(labels * logarithms, axis=-1), gradients
