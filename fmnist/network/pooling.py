"""Max pooling of windows of 2x2 pixels, with a gradient that XLA compiles into one pass."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import layers

_tensorflow_max_pool = tf.nn.max_pool


def is_covered(layer: layers.MaxPooling2D) -> bool:
    """Return whether a layer pools as `max_pool` does."""
    options = layer.pool_size, layer.strides, layer.padding, layer.data_format
    return options == ((2, 2), (2, 2), "valid", "channels_last")


def max_pool(x: tf.Tensor, *arguments: Any, **options: Any) -> tf.Tensor:
    """Return the largest pixel of each window: x float32 [B, h, w, C] → [B, h // 2, w // 2, C].

    A MaxPooling2D of Keras that `is_covered` calls this with the arguments of `tf.nn.max_pool`. A
    graph for any number of images, such as ``fit`` builds, has TensorFlow's own function. Of equal
    pixels, the first gets the gradient, as in TensorFlow.
    """
    return _tensorflow_max_pool(x, *arguments, **options) if None in x.shape else _max_pool(x)


@tf.custom_gradient
def _max_pool(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    count, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    largest, place = _largest(x)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        of_windows = _where(place, upstream)
        of_x = tf.reshape(of_windows, (count, 2 * rows, 2 * columns, channels))
        if height % 2 or width % 2:
            of_x = tf.pad(of_x, [(0, 0), (0, height % 2), (0, width % 2), (0, 0)])
        return of_x

    return largest, gradient


@tf.function(autograph=False, jit_compile=True)
def _largest(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the largest pixel of each window, and its place in the window: float32, 0 to 3."""
    rows, columns = (size // 2 * 2 for size in x.shape[1:3])
    a, b, c, d = (x[:, i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1))
    above, below = tf.maximum(a, b), tf.maximum(c, d)
    of_above, of_below = tf.cast(b > a, x.dtype), tf.cast(d > c, x.dtype) + 2
    return tf.maximum(above, below), tf.where(below > above, of_below, of_above)


@tf.function(autograph=False, jit_compile=True)
def _where(place: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Return the gradient of each window's pixels: [B, rows, 2, columns, 2, C]."""
    places = tf.constant([*range(4)], place.dtype, (1, 1, 2, 1, 2, 1))
    place, upstream = (of[:, :, None, :, None] for of in (place, upstream))
    return tf.where(place == places, upstream, 0.0)
