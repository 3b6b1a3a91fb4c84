"""The size of a recipe: parameters, and operations of its training."""

import math
from dataclasses import dataclass

import keras

from fmnist.train import architecture
from fmnist.train.recipe import Recipe

SHAPE = (28, 28)  # of an image


@dataclass(frozen=True)
class Size:
    """The size of a recipe.

    Attributes:
        parameters: numbers that are trained.
        multiply_adds: of convolutions and Dense layers, for one image's prediction.
        operations: floating-point, of the whole training.
    """

    parameters: int
    multiply_adds: int
    operations: int


def size(recipe: Recipe, images: int) -> Size:
    """Return the size of a recipe that trains on ``images`` images an epoch.

    A training counts 6 floating-point operations for each multiply-add of a prediction: 2 forward
    and 4 backward. Normalization, activation, pooling and updates are left out.
    """
    model = architecture.build(recipe.network, SHAPE)
    multiply_adds = sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    )
    trained = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return Size(trained, multiply_adds, 6 * multiply_adds * images * recipe.epochs)
