"""Max pooling and its gradient, against TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf
from chains import random
from keras import layers

from fmnist.network import pooling


def value_and_gradient(x: np.ndarray, upstream: np.ndarray, layer: layers.Layer | None = None):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x) if layer else tf.nn.max_pool(x, 2, 2, "VALID")
    return y.numpy(), tape.gradient(y, x, upstream).numpy()


@pytest.mark.parametrize("shape", [(3, 28, 28, 4), (2, 7, 5, 3), (1, 2, 2, 1)])
@pytest.mark.parametrize("digits", [8, 0])
def test_the_largest_pixel_gets_the_gradient_and_of_equal_ones_the_first(shape, digits):
    x = random(*shape).round(digits)  # to 0 digits, many are equal
    upstream = random(shape[0], shape[1] // 2, shape[2] // 2, shape[3])
    layer = layers.MaxPooling2D()
    assert pooling.is_covered(layer)
    found = value_and_gradient(x, upstream, layer)
    for mine, expected in zip(found, value_and_gradient(x, upstream), strict=True):
        np.testing.assert_array_equal(mine, expected)
