"""Matrix products, against a chain of fused multiply-adds in NumPy."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from chains import chain, fused_multiply_add, random
from keras import layers

from fmnist.network.product import PIECE, add_bias, product


def by_definition(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a @ b; elements are sums of chains of at most 512 fused multiply-adds, in order."""
    cuts = range(PIECE, a.shape[1], PIECE)
    pieces = zip(np.split(a, cuts, axis=1), np.split(b, cuts), strict=True)
    return functools.reduce(np.add, (chain(*piece) for piece in pieces))


def some(count: int) -> np.ndarray:
    """Return some of so many rows or columns, with those at both ends of blocks."""
    return np.unique(np.r_[: min(count, 4), max(count - 8, 0) : count, count // 2 : count : 97])


def with_gradients(x: np.ndarray, w: np.ndarray, upstream: np.ndarray) -> list[np.ndarray]:
    x, w = tf.constant(x), tf.constant(w)
    with tf.GradientTape() as tape:
        tape.watch([x, w])
        result = product(x, w)
    return [result.numpy(), *(of.numpy() for of in tape.gradient(result, [x, w], upstream))]


# Images, inputs, units: those of the recipes, with full, short and large batches, and those at the
# limits where the library would cut a chain.
SHAPES = [
    *itertools.product((32, 24), (784, 300), (300, 100, 10)),
    *((128, 864, 10), (32, 864, 10), (1000, 784, 300), (1000, 100, 10), (1, 784, 300), (2, 30, 1)),
    *((32, 50, 1000), (100, 101, 300), (129, 512, 640), (513, 70, 70), (32, 515, 20)),
    (9, 1030, 64),
]


@pytest.mark.parametrize(("images", "inputs", "units"), SHAPES)
def test_every_element_is_a_chain_of_fused_multiply_adds(images, inputs, units):
    x, w, upstream = random(images, inputs), random(inputs, units), random(images, units)
    found = with_gradients(x, w, upstream)
    for mine, (a, b) in zip(found, [(x, w), (upstream, w.T), (x.T, upstream)], strict=True):
        rows, columns = some(len(a)), some(b.shape[1])
        expected = by_definition(a[rows], b[:, columns])
        np.testing.assert_array_equal(mine[np.ix_(rows, columns)], expected)


def test_the_emulation_rounds_once():
    # In two steps: 1 + 2**-24 + 2**-60 to 1 + 2**-24 in float64, and that to even, which is 1.
    c = np.float32([1])
    assert fused_multiply_add(np.float32([2**-24]), np.float32([1]), c) == 1
    third = np.float32([2**-24 + 2**-47])
    assert fused_multiply_add(third, np.float32([1]), c) == np.float32(1 + 2**-23)


@pytest.mark.parametrize("shape", [(4, 20), (2, 3, 20), (1, 2, 2, 20)])
def test_the_dense_layer_of_keras_multiplies_so(shape):
    layer = layers.Dense(7, use_bias=False)
    x = tf.constant(random(*shape))
    found = layer(x).numpy()
    expected = by_definition(x.numpy().reshape(-1, 20), layer.kernel.numpy())
    np.testing.assert_array_equal(found, expected.reshape(*shape[:-1], 7))
    assert tf.matmul is tf.linalg.matmul


def test_the_gradient_of_a_bias_is_a_sum_in_order():
    x, bias, upstream = random(3, 40, 30), random(30), random(3, 40, 30)
    with tf.GradientTape() as tape:
        variables = tf.constant(x), tf.constant(bias)
        tape.watch(variables)
        result = add_bias(*variables)
    of_x, of_bias = tape.gradient(result, variables, tf.constant(upstream))
    np.testing.assert_array_equal(result, x + bias)
    np.testing.assert_array_equal(of_x, upstream)
    ones = np.ones((1, 120), np.float32)
    np.testing.assert_array_equal(of_bias, by_definition(ones, upstream.reshape(120, 30))[0])


def test_a_network_of_dense_layers_can_be_built_for_any_number_of_images():
    image = keras.Input((3, 20))
    assert layers.Dense(7)(image).shape == (None, 3, 7)
