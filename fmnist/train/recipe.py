"""The schema of a recipe: everything that changes the weights, under Keras' names."""

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from fmnist.stage.parameters import Schema

Rate = Annotated[float, Field(ge=0, lt=1)]
Activation = Literal["relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"]


class MLP(Schema):
    """Flatten, then a Dense layer for each number in ``units``, then the ten classes."""

    architecture: Literal["mlp"]
    units: list[PositiveInt]
    activation: Activation
    dropout: Rate


class CNN(Schema):
    """A stage for each number in ``filters``, then as `MLP`.

    A stage is a convolution that halves height and width, and as many residual blocks as
    ``residual_blocks`` has in the same place.
    """

    architecture: Literal["cnn"]
    filters: Annotated[list[PositiveInt], Field(min_length=1, max_length=4)]
    residual_blocks: list[NonNegativeInt]
    kernel_size: Annotated[int, Field(ge=1, le=7)]
    units: list[PositiveInt]
    activation: Activation
    dropout: Rate

    @model_validator(mode="after")
    def _blocks_for_each_stage(self) -> "CNN":
        if len(self.residual_blocks) != len(self.filters):
            raise ValueError(
                f"as many residual_blocks as filters ({len(self.filters)}), found"
                f" {self.residual_blocks}"
            )
        return self


class SGD(Schema):
    """``keras.optimizers.SGD``."""

    name: Literal["sgd"]
    learning_rate: PositiveFloat
    momentum: Rate
    nesterov: bool
    weight_decay: PositiveFloat | None

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGD":
        if self.nesterov and self.momentum == 0:
            raise ValueError(f"momentum above 0 where nesterov is true, found {self.momentum}")
        return self


class Adam(Schema):
    """``keras.optimizers.Adam``."""

    name: Literal["adam"]
    learning_rate: PositiveFloat
    beta_1: Rate
    beta_2: Rate
    epsilon: PositiveFloat


class Constant(Schema):
    """The optimizer's learning rate, at every step."""

    name: Literal["constant"]


class CosineDecay(Schema):
    """``keras.optimizers.schedules.CosineDecay`` over all epochs, with its warm-up in epochs."""

    name: Literal["cosine_decay"]
    warmup_epochs: NonNegativeFloat
    alpha: Annotated[float, Field(ge=0, le=1)]


class Augmentation(Schema):
    """How training images are changed at random; see `fmnist.train.augmentation`."""

    flip: bool
    shift: Annotated[int, Field(ge=0, le=4)]
    erase: Annotated[int, Field(ge=0, le=14)]


class Recipe(Schema):
    """Everything that changes the weights, and nothing else."""

    network: Annotated[MLP | CNN, Field(discriminator="architecture")]
    optimizer: Annotated[SGD | Adam, Field(discriminator="name")]
    schedule: Annotated[Constant | CosineDecay, Field(discriminator="name")]
    label_smoothing: Rate
    augmentation: Augmentation | None
    batch_size: PositiveInt
    epochs: PositiveInt
    threads: Annotated[int, Field(gt=0, le=64)]
    jit_compile: bool

    @model_validator(mode="after")
    def _pooling_without_xla(self) -> "Recipe":
        if self.jit_compile and isinstance(self.network, CNN):
            raise ValueError(
                "jit_compile false where the network pools, because XLA has no deterministic"
                " gradient for it, found true"
            )
        return self

    @model_validator(mode="after")
    def _warmup_within_training(self) -> "Recipe":
        warmup = getattr(self.schedule, "warmup_epochs", 0)
        if warmup >= self.epochs:
            raise ValueError(f"schedule.warmup_epochs below epochs ({self.epochs}), found {warmup}")
        return self
