"""Updates of weights by XLA, against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from chains import fused_multiply_add, random

RATE, MOMENTUM = np.float32(0.1), np.float32(0.9)


def trained(weights: np.ndarray, gradients: np.ndarray, **options: bool | float) -> np.ndarray:
    variable = keras.Variable(weights)
    sgd = keras.optimizers.SGD(float(RATE), **options)
    sgd.build([variable])
    update = tf.function(lambda g: sgd.apply([g], [variable]), autograph=False, jit_compile=True)
    for gradient in gradients:
        update(tf.constant(gradient))
    return variable.numpy()


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_rounds_both_products_before_it_subtracts_one_from_the_other(nesterov):
    weights, gradients = random(64, 96), random(3, 64, 96)
    found = trained(weights, gradients, momentum=float(MOMENTUM), nesterov=nesterov)
    velocity = np.zeros_like(weights)
    for gradient in gradients:
        velocity = MOMENTUM * velocity - RATE * gradient
        weights = weights + (MOMENTUM * velocity - RATE * gradient if nesterov else velocity)
    np.testing.assert_array_equal(found, weights)


def test_without_momentum_the_only_product_is_fused_with_the_subtraction():
    weights, gradients = random(64, 96), random(3, 64, 96)
    found = trained(weights, gradients)
    for gradient in gradients:
        weights = fused_multiply_add(gradient, np.full_like(gradient, -RATE), weights)
    np.testing.assert_array_equal(found, weights)
