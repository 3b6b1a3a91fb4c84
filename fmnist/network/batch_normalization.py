"""Normalization of batches, in few passes over memory and with the same bits on every processor.

Keras' layer calls `tf.nn.moments` and `tf.nn.batch_normalization`. These are the same functions,
with their gradients written out: Ioffe and Szegedy 2015, section 3, https://arxiv.org/abs/1502.03167.
TensorFlow's own gradients pass over the batch more often, and start from a reciprocal square root,
which processors estimate each in their own way. Where a layer asks for what these do not compute,
such as another axis, TensorFlow's own function computes it.

XLA compiles each pass. It adds in an order that depends on the processor, so sums over a batch are
written out, see `_total`.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from fmnist.network.product import in_memory, rounded

Gradients = Callable[..., tuple[tf.Tensor, ...]]

PARTS = 16  # of a batch that are added element by element

_tensorflow_moments = tf.nn.moments
_tensorflow_batch_normalization = tf.nn.batch_normalization


def moments(
    x: tf.Tensor, axes: Sequence[int], keepdims: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of each channel: x float32 [B, ..., C] → twice float32 [C]."""
    if keepdims or None in x.shape or [*axes] != _all_but_last(x):
        return _tensorflow_moments(x, axes, keepdims=keepdims)
    mean, variance = _moments(x)
    mean.is_mean_of = x  # for `batch_normalization`
    return mean, variance


@tf.function(autograph=False, jit_compile=True)
@tf.custom_gradient
def _moments(x: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Gradients]:
    rows = tf.reshape(x, (-1, x.shape[-1]))
    share = 1 / rows.shape[0]
    mean = _total(lambda part: part, rows) * share
    variance = _total(lambda part: tf.square(part - mean), rows) * share

    def gradient(of_mean: tf.Tensor, of_variance: tf.Tensor) -> tf.Tensor:
        slope = of_variance * (2 * share)
        return x * slope + (rounded(of_mean * share) - mean * slope)

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
    if offset is None or scale is None or None in x.shape or len(mean.shape) != 1:
        return _tensorflow_batch_normalization(x, mean, variance, offset, scale, variance_epsilon)
    # The maximum, which changes nothing, keeps TensorFlow from turning the quotient that follows
    # into a reciprocal square root.
    deviation = tf.maximum(tf.sqrt(variance + variance_epsilon), 1e-30)
    if getattr(mean, "is_mean_of", None) is x:
        mean, deviation = tf.stop_gradient(mean), tf.stop_gradient(deviation)
        return _normalize_by_own_moments(x, mean, deviation, scale, offset)
    return _normalize(x, mean, deviation, scale, offset)


@tf.function(autograph=False, jit_compile=True)
@tf.custom_gradient
def _normalize(
    x: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor
) -> tuple[tf.Tensor, Gradients]:
    slope = scale / deviation

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        of_scale, of_offset = _sums(x, upstream, mean, deviation)
        return upstream * slope, -slope * of_offset, -slope * of_scale, of_scale, of_offset

    return x * slope + (offset - mean * slope), gradients


@tf.function(autograph=False, jit_compile=True)
@tf.custom_gradient
def _normalize_by_own_moments(
    x: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor
) -> tuple[tf.Tensor, Gradients]:
    """Normalize by mean and deviation of ``x`` itself, whose gradient is that by all three ways."""
    slope = scale / deviation

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        of_scale, of_offset = _sums(x, upstream, mean, deviation)
        share = x.shape[-1] / math.prod(x.shape)
        factor = -slope * of_scale * share / deviation
        constant = rounded(-slope * of_offset * share) - factor * mean
        of_x = upstream * slope + (x * factor + constant)
        return of_x, None, None, of_scale, of_offset

    return x * slope + (offset - mean * slope), gradients


def _sums(
    x: tf.Tensor, upstream: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the gradients of scale and of offset."""
    x, upstream = (tf.reshape(of, (-1, x.shape[-1])) for of in (x, upstream))
    of_scale = _total(lambda x, upstream: upstream * (x - mean), x, upstream) / deviation
    return of_scale, _total(lambda part: part, upstream)


def _total(term: Callable[..., tf.Tensor], *arrays: tf.Tensor) -> tf.Tensor:
    """Return the sum of a term over the rows of arrays float32 [N, C]: float32 [C].

    The rows are divided into parts, which are added element by element; so are the rows of their
    sum. A processor with wide vectors adds more elements at once, but each in the same order.
    """
    count = arrays[0].shape[0]
    parts = min(PARTS, count)
    size = count // parts
    first, *others = (
        term(*(array[i * size : (i + 1) * size] for array in arrays)) for i in range(parts)
    )
    total = rounded(first)
    for other in others:
        total = total + other
    if count % parts:
        total = tf.concat([total, term(*(array[parts * size :] for array in arrays))], 0)
    if total.shape[0] == 1:
        return total[0]
    return _total(lambda part: part, in_memory(total))


def _all_but_last(x: tf.Tensor) -> list[int]:
    return [*range(len(x.shape) - 1)]
