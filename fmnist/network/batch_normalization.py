"""Normalization of batches, in few passes over memory and with the same bits on every processor.

Keras' layer calls `tf.nn.moments` and `tf.nn.batch_normalization`. These are the same functions,
with their gradients written out: Ioffe and Szegedy 2015, section 3, https://arxiv.org/abs/1502.03167.
TensorFlow's own gradients pass over the batch twice as often, and start from a reciprocal square
root, which processors estimate each in their own way. Where a layer asks for what these do not
compute, such as another axis, TensorFlow's own function computes it.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

Gradients = Callable[..., tuple[tf.Tensor, ...]]

_tensorflow_moments = tf.nn.moments
_tensorflow_batch_normalization = tf.nn.batch_normalization


def moments(
    x: tf.Tensor, axes: Sequence[int], keepdims: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of each channel: x float32 [B, ..., C] → twice float32 [C]."""
    if keepdims or [*axes] != _all_but_last(x):
        return _tensorflow_moments(x, axes, keepdims=keepdims)
    return _moments(x)


@tf.custom_gradient
def _moments(x: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Gradients]:
    mean = tf.reduce_mean(x, _all_but_last(x))
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), _all_but_last(x))

    def gradient(of_mean: tf.Tensor, of_variance: tf.Tensor) -> tf.Tensor:
        count = tf.cast(tf.size(x) // tf.size(mean), x.dtype)
        slope = of_variance * (2 / count)
        return _affine(x, slope, of_mean / count - mean * slope)

    return (mean, variance), gradient


def batch_normalization(
    x: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    offset: tf.Tensor | None,
    scale: tf.Tensor | None,
    variance_epsilon: float,
) -> tf.Tensor:
    """Return (x - mean) / sqrt(variance + variance_epsilon) * scale + offset, x [B, ..., C]."""
    if offset is None or scale is None or len(mean.shape) != 1:
        return _tensorflow_batch_normalization(x, mean, variance, offset, scale, variance_epsilon)
    # The maximum, which changes nothing, keeps TensorFlow from turning the quotient that follows
    # into a reciprocal square root.
    deviation = tf.maximum(tf.sqrt(variance + variance_epsilon), 1e-30)
    return _normalize(x, mean, deviation, scale, offset)


@tf.custom_gradient
def _normalize(
    x: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor
) -> tuple[tf.Tensor, Gradients]:
    slope = scale / deviation

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        of_offset = tf.reduce_sum(upstream, _all_but_last(x))
        of_slope = tf.reduce_sum(upstream * x, _all_but_last(x)) - mean * of_offset
        of_scale = of_slope / deviation
        return upstream * slope, -slope * of_offset, -slope * of_scale, of_scale, of_offset

    return _affine(x, slope, offset - mean * slope), gradients


def _all_but_last(x: tf.Tensor) -> list[int]:
    return [*range(len(x.shape) - 1)]


@tf.function(autograph=False, jit_compile=True)  # one pass instead of two
def _affine(x: tf.Tensor, slope: tf.Tensor, intercept: tf.Tensor) -> tf.Tensor:
    return x * slope + intercept
