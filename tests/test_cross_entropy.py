"""The loss with smoothed labels and its gradient, against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from chains import random

SMOOTHING = np.float32(0.3)
LABELS = np.arange(12) % 10
TARGETS = np.eye(10, dtype=np.float32)[LABELS] * (1 - SMOOTHING) + SMOOTHING / np.float32(10)


@tf.function(autograph=False, jit_compile=True)
def loss_and_gradient(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=float(SMOOTHING))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        mean = loss(tf.one_hot(LABELS, 10), logits)
    return mean, tape.gradient(mean, logits)


def test_the_mean_loss_and_its_gradient_are_those_of_the_definition():
    logits = random(12, 10)
    mean, gradient = loss_and_gradient(tf.constant(logits))
    exponentials = np.exp(logits.astype(np.float64))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    losses = -(TARGETS * np.log(probabilities)).sum(axis=1)
    assert mean.numpy() == pytest.approx(losses.mean(), rel=1e-6)
    np.testing.assert_allclose(gradient, (probabilities - TARGETS) / 12, atol=1e-7)


def test_the_gradient_has_one_product():
    logits = tf.constant(random(12, 10))
    logarithms = tf.function(tf.nn.log_softmax, autograph=False, jit_compile=True)(logits)
    probabilities = tf.function(tf.exp, autograph=False, jit_compile=True)(logarithms).numpy()
    expected = (probabilities - TARGETS) * np.float32(1 / 12)
    np.testing.assert_array_equal(loss_and_gradient(logits)[1], expected)
