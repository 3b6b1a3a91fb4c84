"""Class probabilities of many images, in batches."""

import keras
import numpy as np
import tensorflow as tf

from fmnist.network.parts import features_and_classifier


class Predictor:
    """A network compiled for prediction; it follows the weights as they are trained."""

    def __init__(self, model: keras.Model, batch_size: int) -> None:
        self._batch_size = batch_size
        features, classifier = features_and_classifier(model)
        classify = tf.function(
            lambda x: classifier(x, training=False), autograph=False, jit_compile=True
        )
        self._forward = tf.function(
            lambda images: classify(features(images, training=False)), autograph=False
        )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities float32 [N, 10] of images float32 [N, height, width]."""
        batches = [
            self._forward(tf.constant(images[start : start + self._batch_size])).numpy()
            for start in range(0, len(images), self._batch_size)
        ]
        return np.concatenate(batches)
