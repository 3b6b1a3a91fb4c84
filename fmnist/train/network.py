"""Build the network of a recipe."""

import keras
from keras import layers

from fmnist.classes import CLASSES
from fmnist.train.parameters import CNN, MLP


def build(network: MLP | CNN, image_shape: tuple[int, int]) -> keras.Model:
    """Return an untrained network: float32 [B, height, width] → probabilities float32 [B, 10].

    Weights are drawn from Keras' global seed: call ``keras.utils.set_random_seed`` before.
    """
    parts = [keras.Input(image_shape, name="image")]
    if isinstance(network, CNN):
        parts += _convolutions(network, image_shape)  # [B, h, w, filters]
    parts += [layers.Flatten(name="flatten"), *_dense(network)]
    parts.append(layers.Dense(len(CLASSES), activation="softmax", name="probabilities"))
    return keras.Sequential(parts, name=network.architecture)


def _convolutions(network: CNN, image_shape: tuple[int, int]) -> list[layers.Layer]:
    parts: list[layers.Layer] = [layers.Reshape((*image_shape, 1), name="channel")]
    for number, filters in enumerate(network.filters, start=1):
        parts += [
            layers.Conv2D(
                filters,
                network.kernel_size,
                padding="same",
                activation=network.activation,
                name=f"convolution_{number}",
            ),
            layers.MaxPooling2D(name=f"pooling_{number}"),
        ]
    return parts


def _dense(network: MLP | CNN) -> list[layers.Layer]:
    parts: list[layers.Layer] = []
    for number, units in enumerate(network.units, start=1):
        parts.append(layers.Dense(units, activation=network.activation, name=f"hidden_{number}"))
        if network.dropout:
            parts.append(layers.Dropout(network.dropout, name=f"dropout_{number}"))
    return parts
