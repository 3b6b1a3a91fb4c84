"""Convolutions with the same bits on every processor that has fused multiply-adds.

TensorFlow gives a convolution to oneDNN, which computes an element as a chain of fused
multiply-adds over rows, columns and channels of the kernel, in order. It cuts a chain only if the
kernel is large. The gradients that oneDNN computes are sums in an order that depends on the
processor. Therefore, the gradients are convolutions too:

- of the images: the upstream gradient, convolved with the mirrored kernel;
- of the kernel: the images, convolved with the upstream gradient; images and channels change places
  in both. The upstream gradient is a large kernel then, so it is divided into pieces, whose results
  are added in order.

With one channel, the second would be slow. There the gradient of the kernel is a matrix product.
"""

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from keras import layers

from fmnist.network.product import longest_chain, multiply

# Limits of a piece of an upstream gradient. With more pixels or images, oneDNN was seen to cut
# chains of 4,096 multiply-adds and more.
PIXELS, IMAGES, CHAIN = 196, 256, 8192

_tensorflow_convolution = tf.nn.convolution


def is_covered(layer: layers.Conv2D) -> bool:
    """Return whether a layer has these gradients: an odd kernel, as many pixels out as in."""
    options = layer.strides, layer.padding, layer.dilation_rate, layer.groups, layer.data_format
    is_plain = options == ((1, 1), "same", (1, 1), 1, "channels_last")
    return is_plain and all(size % 2 for size in layer.kernel_size)


def convolution(x: tf.Tensor, kernel: tf.Tensor, *arguments: Any, **options: Any) -> tf.Tensor:
    """Return x float32 [B, h, w, C] convolved with kernel float32 [m, n, C, D]: [B, h, w, D].

    A Conv2D of Keras that `is_covered` calls this with the arguments of `tf.nn.convolution`. A
    graph for any number of images, such as ``fit`` builds, has TensorFlow's own function.
    """
    if None in x.shape:
        return _tensorflow_convolution(x, kernel, *arguments, **options)
    return _convolution(x, tf.convert_to_tensor(kernel))


@tf.custom_gradient
def _convolution(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    rows, columns, channels, _ = kernel.shape

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        mirrored = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
        of_kernel = _of_kernel
        if channels == 1 and rows * columns > 1:
            of_kernel = _of_kernel_of_one_channel
        return tf.nn.conv2d(upstream, mirrored, 1, "SAME"), of_kernel(x, upstream, rows, columns)

    return tf.nn.conv2d(x, kernel, 1, "SAME"), gradients


def _of_kernel(x: tf.Tensor, upstream: tf.Tensor, rows: int, columns: int) -> tf.Tensor:
    total = None
    for images, start, end in pieces(*x.shape[:3]):
        first, last = start - rows // 2, end + rows // 2  # rows of x; some lie outside
        outside = max(-first, 0), max(last - x.shape[1], 0)
        part = tf.nn.conv2d(
            tf.transpose(x[images, max(first, 0) : last], [3, 1, 2, 0]),
            tf.transpose(upstream[images, start:end], [1, 2, 0, 3]),
            1,
            [(0, 0), outside, (columns // 2, columns // 2), (0, 0)],
        )
        total = part if total is None else total + part
    return tf.transpose(total, [1, 2, 0, 3])


def pieces(count: int, height: int, width: int) -> Iterator[tuple[slice, int, int]]:
    """Divide an upstream gradient: yield images, the first row and the row after the last."""
    rows = min(max(PIXELS // width, 1), height)
    most = min(max(CHAIN // (rows * width), 1), IMAGES)
    images = -(-count // -(-count // most))  # parts of almost the same size
    for first in range(0, count, images):
        for start in range(0, height, rows):
            yield slice(first, first + images), start, min(start + rows, height)


@tf.function(autograph=False, jit_compile=True)
def _of_kernel_of_one_channel(
    x: tf.Tensor, upstream: tf.Tensor, rows: int, columns: int
) -> tf.Tensor:
    count, height, width, filters = upstream.shape
    pixels = height * width
    piece = max(n for n in range(1, longest_chain(filters) + 1) if pixels % n == 0)
    padded = tf.pad(x[..., 0], [(0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2)])
    seen = [  # the pixels that an element of the kernel is multiplied with
        padded[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)
    ]
    seen = tf.reshape(tf.stack(seen, 1), (count, rows * columns, pixels // piece, piece))
    parts = multiply(
        tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), (-1, rows * columns, piece)),
        tf.reshape(upstream, (-1, piece, filters)),
    )
    number = parts.shape[0]
    total = multiply(tf.ones((1, number)), tf.reshape(parts, (number, -1)))
    return tf.reshape(total, (rows, columns, 1, filters))
