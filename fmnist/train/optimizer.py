"""Build the optimizer of a recipe, and the learning rate of each of its steps."""

import math

import keras
import numpy as np

from fmnist.train.recipe import SGD, Adam, Constant, CosineDecay, Recipe


def build(optimizer: SGD | Adam) -> keras.optimizers.Optimizer:
    """Return the Keras optimizer; parameters carry Keras' own argument names."""
    return keras.optimizers.get({"class_name": optimizer.name, "config": optimizer.model_dump()})


def learning_rates(recipe: Recipe, steps_per_epoch: int) -> np.ndarray:
    """Return the learning rate of every step: float32 [epochs, steps_per_epoch].

    Computed ahead in float64 and then rounded, so that the last digit of a C library's cosine does
    not decide a weight.
    """
    rates = [
        _rate(recipe.schedule, recipe.optimizer.learning_rate, step, recipe.epochs, steps_per_epoch)
        for step in range(recipe.epochs * steps_per_epoch)
    ]
    return np.array(rates, np.float32).reshape(recipe.epochs, steps_per_epoch)


def _rate(
    schedule: Constant | CosineDecay, peak: float, step: int, epochs: int, steps_per_epoch: int
) -> float:
    if isinstance(schedule, Constant):
        return peak
    warmup_steps = round(schedule.warmup_epochs * steps_per_epoch)
    if step < warmup_steps:
        return peak * step / warmup_steps
    progress = (step - warmup_steps) / (epochs * steps_per_epoch - warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return peak * ((1 - schedule.alpha) * cosine + schedule.alpha)
