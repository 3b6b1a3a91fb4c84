"""Convolutions with the same bits on every processor that has fused multiply-adds.

TensorFlow gives a convolution to oneDNN, which computes an element as a chain of fused
multiply-adds over rows, columns and channels of the kernel, in order. With these exceptions, which
are avoided here:

- It divides the channels into blocks if a block of the kernel does not fit into the cache of a
  core. The chain then goes through one block after another. See `longest_block`.
- For one channel, one image, or an output of one pixel it chooses other algorithms, which depend on
  the processor.
- The gradients that it computes are sums in an order that depends on the processor.

Therefore, the gradients are convolutions too:

- of the images: the upstream gradient, convolved with the mirrored kernel;
- of the kernel: the images, convolved with the upstream gradient; images and channels change places
  in both. The upstream gradient is a large kernel then, so it is divided into pieces, whose results
  are added in order.

https://github.com/uxlfoundation/oneDNN: src/cpu/x64/jit_brgemm_conv_utils.cpp
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from keras import layers

from fmnist.network.product import longest_chain, multiply

PIXELS = 196  # of a piece of an upstream gradient: at most, if a row has no more
_CACHE = 512 * 1024 * 3 // 4  # bytes that oneDNN fills of the smallest L2 cache with AVX-512
_FILTERS, _COLUMNS = 64, 8  # largest block of filters, with the pixels that go with it
_VECTOR = 16  # numbers; oneDNN never cuts between so many channels

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
        if channels == 1 or rows * columns == 1:
            of_kernel = _of_kernel_by_product
        return _convolve(upstream, mirrored), of_kernel(x, upstream, rows, columns)

    return _convolve(x, kernel), gradients


def _convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    if x.shape[0] == 1:
        return _convolve(tf.concat([x, x], 0), kernel)[:1]
    rows, columns, channels, _ = kernel.shape
    block = longest_block(rows, columns)
    if channels % block == 1:
        x, kernel = _with_zeros(x, 3), _with_zeros(kernel, 2)
    parts = [
        tf.nn.conv2d(x[..., i : i + block], kernel[:, :, i : i + block], 1, "SAME")
        for i in range(0, channels, block)
    ]
    return _total(parts)


def _of_kernel(x: tf.Tensor, upstream: tf.Tensor, rows: int, columns: int) -> tf.Tensor:
    parts = []
    for images, start, end in pieces(*x.shape[:3]):
        first, last = start - rows // 2, end + rows // 2  # rows of x; some lie outside
        outside = max(-first, 0), max(last - x.shape[1], 0)
        seen, weights = x[images, max(first, 0) : last], upstream[images, start:end]
        if seen.shape[0] == 1:
            seen, weights = _with_zeros(seen, 0), _with_zeros(weights, 0)
        part = tf.nn.conv2d(
            tf.transpose(seen, [3, 1, 2, 0]),
            tf.transpose(weights, [1, 2, 0, 3]),
            1,
            [(0, 0), outside, (columns // 2, columns // 2), (0, 0)],
        )
        parts.append(part)
    return tf.transpose(_total(parts), [1, 2, 0, 3])


def _total(parts: list[tf.Tensor]) -> tf.Tensor:
    """Return the sum in order, in XLA: TensorFlow would add more than two in another order."""
    return parts[0] if len(parts) == 1 else _add_all(parts)


@tf.function(autograph=False, jit_compile=True)
def _add_all(parts: list[tf.Tensor]) -> tf.Tensor:
    return functools.reduce(tf.add, parts)


def _with_zeros(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Return x with one more row of zeros along an axis."""
    return tf.pad(x, [(0, int(other == axis)) for other in range(len(x.shape))])


def pieces(count: int, height: int, width: int) -> Iterator[tuple[slice, int, int]]:
    """Divide an upstream gradient: yield images, the first row and the row after the last."""
    rows = min(max(PIXELS // width, 1), height)
    images = longest_block(rows, width)
    for first in range(0, count, images):
        for start in range(0, height, rows):
            yield slice(first, first + images), start, min(start + rows, height)


def longest_block(rows: int, columns: int) -> int:
    """Return how many channels of a kernel oneDNN takes as one block on every processor."""
    of_channel = 4 * rows * (columns * _FILTERS + columns + _COLUMNS)
    return max(_CACHE // of_channel // _VECTOR, 1) * _VECTOR


@tf.function(autograph=False, jit_compile=True)
def _of_kernel_by_product(x: tf.Tensor, upstream: tf.Tensor, rows: int, columns: int) -> tf.Tensor:
    count, height, width, channels = x.shape
    pixels, filters = height * width, upstream.shape[3]
    piece = max(n for n in range(1, longest_chain(filters) + 1) if pixels % n == 0)
    padded = tf.pad(x, [(0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)])
    seen = [  # the pixels that an element of the kernel is multiplied with
        padded[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)
    ]
    seen = tf.reshape(tf.stack(seen, 1), (count, len(seen), pixels // piece, piece, channels))
    parts = multiply(
        tf.reshape(tf.transpose(seen, [0, 2, 1, 4, 3]), (-1, seen.shape[1] * channels, piece)),
        tf.reshape(upstream, (-1, piece, filters)),
    )
    number = parts.shape[0]
    total = multiply(tf.ones((1, number)), tf.reshape(parts, (number, -1)))
    return tf.reshape(total, (rows, columns, channels, filters))
