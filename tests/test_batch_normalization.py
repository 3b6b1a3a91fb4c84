"""Normalization of batches: values and gradients, against automatic ones in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from chains import fused_multiply_add

from fmnist.network import batch_normalization, tensorflow_contract

EPSILON = 1e-3


def example(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Return a batch, scale, offset and upstream gradient, float64."""
    random = np.random.default_rng(0)
    x = random.normal(3, 2, shape)
    return (
        x,
        random.normal(1, 0.5, shape[-1:]),
        random.normal(0, 1, shape[-1:]),
        random.normal(0, 1, shape),
    )


def by_definition(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    axes = [*range(len(x.shape) - 1)]
    mean = tf.reduce_mean(x, axes)
    variance = tf.reduce_mean((x - mean) ** 2, axes)
    return (x - mean) / (variance + EPSILON) ** 0.5 * scale + offset


def with_own_gradients(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    mean, variance = batch_normalization.moments(x, [*range(len(x.shape) - 1)], keepdims=False)
    return batch_normalization.batch_normalization(x, mean, variance, offset, scale, EPSILON)


def by_the_layer_of_keras(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    layer = keras.layers.BatchNormalization(epsilon=EPSILON)
    layer.build(x.shape)
    layer.gamma, layer.beta = scale, offset
    return layer(x, training=True)


def value_and_gradients(function, example: tuple[np.ndarray, ...], dtype: str) -> list[np.ndarray]:
    *inputs, upstream = (tf.constant(array, dtype) for array in example)
    with tf.GradientTape() as tape:
        for tensor in inputs:
            tape.watch(tensor)
        result = function(*inputs)
    return [result.numpy(), *(of.numpy() for of in tape.gradient(result, inputs, upstream))]


@pytest.mark.parametrize("shape", [(6, 3), (5, 4, 4, 3)])
@pytest.mark.parametrize("function", [with_own_gradients, by_the_layer_of_keras])
def test_value_and_gradients_are_those_of_the_definition(function, shape):
    inputs = example(shape)
    expected = value_and_gradients(by_definition, inputs, "float64")
    for found, of in zip(value_and_gradients(function, inputs, "float32"), expected, strict=True):
        np.testing.assert_allclose(found, of, rtol=1e-4, atol=1e-4)


def in_order(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the sum over rows of a * b, float32 [N, C], in the order of the contract: [C]."""
    parts = min(batch_normalization.PARTS, len(a))
    size = len(a) // parts
    total = (a * b)[:size]
    for i in range(size, parts * size, size):
        total = fused_multiply_add(a[i : i + size], b[i : i + size], total)
    total = np.concatenate([total, (a * b)[parts * size :]])
    return total[0] if len(total) == 1 else in_order(total, np.ones_like(total))


@pytest.mark.parametrize("shape", [(1, 3), (16, 2), (33, 5), (9, 7, 7, 4), (128, 14, 14, 32)])
def test_every_sum_is_added_in_the_same_order(shape):
    x, scale, offset, upstream = (array.astype(np.float32) for array in example(shape))
    rows, gradients = (array.reshape(-1, shape[-1]) for array in (x, upstream))
    share = np.float32(1 / len(rows))
    mean = in_order(rows, np.ones_like(rows)) * share
    variance = in_order(rows - mean, rows - mean) * share
    found = batch_normalization.moments(tf.constant(x), [*range(len(shape) - 1)])
    np.testing.assert_array_equal(found, [mean, variance])
    deviation = np.sqrt(variance + np.float32(EPSILON))
    _, _, of_scale, of_offset = value_and_gradients(
        with_own_gradients, (x, scale, offset, upstream), "float32"
    )
    np.testing.assert_array_equal(of_offset, in_order(gradients, np.ones_like(gradients)))
    np.testing.assert_array_equal(of_scale, in_order(gradients, rows - mean) / deviation)


def test_mean_and_variance_have_gradients_of_their_own():
    x, scale, offset, _ = example((7, 2, 2, 3))

    def weighted(moments, x, scale, offset):
        mean, variance = moments(x)
        return mean * scale + variance * offset

    def defined(x):
        mean = tf.reduce_mean(x, [0, 1, 2])
        return mean, tf.reduce_mean((x - mean) ** 2, [0, 1, 2])

    def ours(x):
        return batch_normalization.moments(x, [0, 1, 2], keepdims=False)

    inputs = (x, scale, offset, np.array([1.0, -2.0, 3.0]))
    expected = value_and_gradients(lambda *of: weighted(defined, *of), inputs, "float64")
    found = value_and_gradients(lambda *of: weighted(ours, *of), inputs, "float32")
    for of, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(of, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("axes", "keepdims"), [([0], False), ([0, 1, 2], True)])
def test_other_moments_are_those_of_tensorflow(axes, keepdims):
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype(np.float32))
    found = batch_normalization.moments(x, axes, keepdims)
    for mine, expected in zip(found, tf.nn.moments(x, axes, keepdims=keepdims), strict=True):
        np.testing.assert_array_equal(mine, expected)


OTHER_LAYERS = {
    "over the channels": keras.layers.LayerNormalization(),
    "in groups": keras.layers.GroupNormalization(groups=2),
    "along another axis": keras.layers.BatchNormalization(axis=1),
    "without scale": keras.layers.BatchNormalization(scale=False),
    "without offset": keras.layers.BatchNormalization(center=False),
}


@pytest.mark.parametrize("layer", OTHER_LAYERS.values(), ids=OTHER_LAYERS)
def test_other_normalizations_have_value_and_gradient_of_their_definition(layer):
    random = np.random.default_rng(0)
    x, upstream = random.normal(3, 2, (2, 6, 5, 4, 4)).astype(np.float32)
    axes = {"LayerNormalization": [3], "GroupNormalization": [1, 2, 4]}.get(type(layer).__name__)
    shape = x.shape if axes != [1, 2, 4] else (6, 5, 4, 2, 2)
    axes = axes or [axis for axis in range(4) if axis != layer.axis % 4]

    def by_definition(x: tf.Tensor) -> tf.Tensor:
        parts = tf.reshape(x, shape)
        mean = tf.reduce_mean(parts, axes, keepdims=True)
        variance = tf.reduce_mean((parts - mean) ** 2, axes, keepdims=True)
        return tf.reshape((parts - mean) / (variance + layer.epsilon) ** 0.5, x.shape)

    expected = value_and_gradients(by_definition, (x, upstream), "float64")
    found = value_and_gradients(lambda x: layer(x, training=True), (x, upstream), "float32")
    for mine, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-3, atol=1e-4)


def test_functions_of_tensorflow_are_replaced_only_while_a_layer_is_called():
    before = tf.nn.moments, tf.nn.batch_normalization, tf.nn.experimental.stateless_dropout
    keras.layers.BatchNormalization()(tf.zeros((2, 3)), training=True)
    keras.layers.Dropout(0.5, seed=1)(tf.zeros((2, 3)), training=True)
    assert before == (
        tf.nn.moments,
        tf.nn.batch_normalization,
        tf.nn.experimental.stateless_dropout,
    )
    assert tf.nn.moments is not batch_normalization.moments


def test_layers_outside_the_contract_are_named_by_a_warning(recwarn):
    image = keras.Input((4,))
    dense = keras.layers.Dense(3)(image)
    tensorflow_contract.warn_of_other_layers(keras.Model(image, dense))
    assert not recwarn.list
    other = keras.Model(image, keras.layers.LayerNormalization()(dense))
    with pytest.warns(UserWarning, match="^LayerNormalization: not under the numeric contract"):
        tensorflow_contract.warn_of_other_layers(other)


@pytest.mark.parametrize(
    "options", [{"padding": "valid"}, {"strides": 2}, {"groups": 2}, {"kernel_size": 4}]
)
def test_a_convolution_with_other_options_is_outside_the_contract(options, recwarn):
    image = keras.Input((4, 4, 2))
    same = keras.layers.Conv2D(2, 3, padding="same")(image)
    tensorflow_contract.warn_of_other_layers(keras.Model(image, same))
    assert not recwarn.list
    other = keras.layers.Conv2D(2, **({"kernel_size": 3, "padding": "same"} | options))(image)
    with pytest.warns(UserWarning, match="^Conv2D: not under the numeric contract"):
        tensorflow_contract.warn_of_other_layers(keras.Model(image, other))
