"""Build the network of a recipe."""

import keras
from keras import KerasTensor, layers

from fmnist.dataset.classes import CLASSES
from fmnist.train.recipe import CNN, MLP


def build(network: MLP | CNN, image_shape: tuple[int, int]) -> keras.Model:
    """Return an untrained network: float32 [B, height, width] → probabilities float32 [B, 10].

    Weights are drawn from Keras' global seed: call ``keras.utils.set_random_seed`` before.
    """
    image = keras.Input(image_shape, name="image")
    if isinstance(network, MLP):
        return keras.Sequential([image, *_classifier(network)], name="mlp")
    x = layers.Reshape((*image_shape, 1), name="channel")(image)
    for number, (filters, blocks) in enumerate(
        zip(network.filters, network.residual_blocks, strict=True), start=1
    ):
        x = _convolution(x, network, filters, f"stage_{number}", pool=True)
        for block in range(1, blocks + 1):
            x = _residual_block(x, network, f"stage_{number}_block_{block}")
    for layer in _classifier(network):
        x = layer(x)
    return keras.Model(image, x, name="cnn")


def _classifier(network: MLP | CNN) -> list[layers.Layer]:
    parts: list[layers.Layer] = [layers.Flatten(name="flatten")]
    for number, units in enumerate(network.units, start=1):
        parts.append(layers.Dense(units, activation=network.activation, name=f"hidden_{number}"))
        if network.dropout:
            parts.append(layers.Dropout(network.dropout, name=f"dropout_{number}"))
    parts.append(layers.Dense(len(CLASSES), activation="softmax", name="probabilities"))
    return parts


def _convolution(
    x: KerasTensor, network: CNN, filters: int, name: str, pool: bool = False
) -> KerasTensor:
    """Convolve, normalize, activate: [B, h, w, c] → [B, h, w, filters], or [B, h/2, w/2, filters].

    Pooling comes before normalization, which then has a quarter to do.
    """
    x = layers.Conv2D(
        filters, network.kernel_size, padding="same", use_bias=False, name=f"{name}_convolution"
    )(x)  # normalization has the bias
    if pool:
        x = layers.MaxPooling2D(name=f"{name}_pooling")(x)
    x = layers.BatchNormalization(name=f"{name}_normalization")(x)
    return layers.Activation(network.activation, name=f"{name}_activation")(x)


def _residual_block(x: KerasTensor, network: CNN, name: str) -> KerasTensor:
    """Add two convolutions of ``x`` to it: [B, h, w, c] → the same."""
    y = _convolution(x, network, x.shape[-1], f"{name}_1")
    y = _convolution(y, network, x.shape[-1], f"{name}_2")
    return layers.Add(name=f"{name}_sum")([x, y])
