"""Convolutions and their gradients, against chains of fused multiply-adds in NumPy."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from chains import chain, random
from keras import layers

from fmnist.network import convolution

# Images, height, width, channels, filters, size of the kernel: those of the recipes, with full and
# short batches, then shapes at the limits of a piece, and kernels of other sizes.
SHAPES = [
    *((128, 14, 14, 32, 48, 3), (88, 14, 14, 32, 32, 3), (128, 14, 14, 32, 64, 3)),
    *((128, 7, 7, 48, 96, 3), (24, 7, 7, 64, 64, 3), (128, 3, 3, 96, 96, 3)),
    *((7, 20, 13, 2, 3, 5), (300, 2, 3, 16, 10, 3), (600, 1, 1, 5, 7, 3), (1, 1, 1, 2, 2, 3)),
    *((60, 28, 28, 3, 8, 5), (3, 2, 250, 4, 5, 3), (9, 8, 8, 6, 6, 7), (17, 14, 14, 2, 1, 3)),
]


def by_definition(x: np.ndarray, kernel: np.ndarray, padding: int) -> np.ndarray:
    """Return x [B, h, w, C] convolved with kernel [m, n, C, D], in order of m, n and C."""
    *size, channels, filters = kernel.shape
    padded = np.pad(x, [(0, 0), *[(padding, padding)] * 2, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(1, 2))
    *shape, _, _, _ = windows.shape
    rows = np.moveaxis(windows, 3, 5).reshape(-1, size[0] * size[1] * channels)
    return chain(rows, kernel.reshape(-1, filters)).reshape(*shape, filters)


def assert_chains(x: np.ndarray, kernel: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """Compare the result and the gradient of x with the definition; return that of the kernel."""
    padding = kernel.shape[0] // 2
    result, of_x, of_kernel = with_gradients(x, kernel, upstream)
    np.testing.assert_array_equal(result[:2], by_definition(x[:2], kernel, padding))
    mirrored = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    np.testing.assert_array_equal(of_x[:2], by_definition(upstream[:2], mirrored, padding))
    return of_kernel


def with_gradients(x: np.ndarray, kernel: np.ndarray, upstream: np.ndarray) -> list[np.ndarray]:
    channels = x.shape[-1]
    layer = layers.Conv2D(kernel.shape[-1], kernel.shape[0], padding="same", use_bias=False)
    layer.build((None, *x.shape[1:3], channels))
    layer.kernel.assign(kernel)

    @tf.function(autograph=False)
    def compute(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = layer(x)
        return result, *tape.gradient(result, [x, layer.kernel.value], upstream)

    return [array.numpy() for array in compute(tf.constant(x))]


@pytest.mark.parametrize(("images", "height", "width", "channels", "filters", "size"), SHAPES)
def test_every_element_is_a_chain_of_fused_multiply_adds(
    images, height, width, channels, filters, size
):
    x, upstream = random(images, height, width, channels), random(images, height, width, filters)
    of_kernel = assert_chains(x, random(size, size, channels, filters), upstream)
    some, padding, expected = slice(None, None, 31), size // 2, 0
    for part, first, last in convolution.pieces(images, height, width):
        within = np.zeros_like(upstream[part])
        within[:, first:last] = upstream[part, first:last]
        as_kernel = within[..., some].transpose(1, 2, 0, 3)
        expected += by_definition(x[part, ..., some].transpose(3, 1, 2, 0), as_kernel, padding)
    np.testing.assert_array_equal(of_kernel[:, :, some, some], expected.transpose(1, 2, 0, 3))


# Images, height, width, channels, filters, size of the kernel, pixels of a piece.
BY_PRODUCT = [
    *((128, 28, 28, 1, 32, 3, 392), (88, 28, 28, 1, 32, 3, 392), (7, 28, 28, 1, 32, 3, 392)),
    *((5, 9, 11, 1, 8, 5, 99), (3, 40, 20, 1, 96, 3, 200), (4, 8, 8, 1, 1, 3, 64)),
    *((2, 1, 1, 1, 2, 3, 1), (13, 9, 9, 20, 13, 1, 81), (4, 8, 8, 1, 5, 1, 64)),
]


@pytest.mark.parametrize(
    ("images", "height", "width", "channels", "filters", "size", "piece"), BY_PRODUCT
)
def test_with_one_channel_or_pixel_the_gradient_of_the_kernel_is_a_sum_of_short_chains(
    images, height, width, channels, filters, size, piece
):
    x, upstream = random(images, height, width, channels), random(images, height, width, filters)
    of_kernel = assert_chains(x, random(size, size, channels, filters), upstream)
    padded = np.pad(x, [(0, 0), *[(size // 2, size // 2)] * 2, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    seen = np.moveaxis(windows, 3, 5).reshape(-1, piece, size * size * channels).transpose(0, 2, 1)
    chains = (chain(*pair) for pair in zip(seen, upstream.reshape(-1, piece, filters), strict=True))
    expected = functools.reduce(np.add, chains)
    np.testing.assert_array_equal(of_kernel.reshape(expected.shape), expected)


@pytest.mark.parametrize("channels", [17, 40])
def test_a_large_kernel_is_divided_into_blocks_of_channels(channels):
    x, kernel = random(3, 5, 4, channels), random(7, 7, channels, 6)
    assert convolution.longest_block(7, 7) == 16
    chains = [
        by_definition(x[..., i : i + 16], kernel[:, :, i : i + 16], 3)
        for i in range(0, channels, 16)
    ]
    result, _, _ = with_gradients(x, kernel, random(3, 5, 4, 6))
    np.testing.assert_array_equal(result, functools.reduce(np.add, chains))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 3), (5, 5), (3, 9)])
def test_a_block_of_a_kernel_fits_into_three_quarters_of_a_cache_of_512_kb(rows, columns):
    channels = convolution.longest_block(rows, columns)
    assert channels * rows * columns * 64 * 4 <= 384 * 1024


@pytest.mark.parametrize("shape", [(128, 14, 14), (1, 1, 1), (1000, 1, 2), (9, 100, 300)])
def test_the_pieces_of_an_upstream_gradient_are_small_and_cover_it_once(shape):
    seen = np.zeros(shape)
    for images, start, end in convolution.pieces(*shape):
        seen[images, start:end] += 1
        assert end - start == 1 or (end - start) * shape[2] <= convolution.PIXELS
        assert seen[images].shape[0] <= convolution.longest_block(end - start, shape[2])
    assert (seen == 1).all()


OTHERS = [{"padding": "valid"}, {"strides": 2}, {"groups": 2}, {"kernel_size": 4}]


@pytest.mark.parametrize("options", OTHERS)
def test_other_convolutions_are_those_of_tensorflow(options):
    x = tf.constant(random(3, 8, 8, 4))
    layer = layers.Conv2D(6, **({"kernel_size": 3, "padding": "same"} | options))
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = layer(x)
    kernel, bias = layer.kernel.value, layer.bias.value
    padding, strides = layer.padding.upper(), layer.strides
    with tf.GradientTape() as expected_tape:
        expected_tape.watch(x)
        expected = tf.nn.convolution(x, kernel, strides, padding) + bias
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    found, of_x = tape.gradient(result, x), expected_tape.gradient(expected, x)
    np.testing.assert_allclose(found, of_x, rtol=1e-5, atol=1e-5)
