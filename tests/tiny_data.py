"""Tiny data that can be learned, and short recipes."""

import os

import numpy as np
from projects import RECIPES

from fmnist.dataset.images import Images
from fmnist.train.recipe import Recipe


def pixels(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 [count, 28, 28] whose labels, uint8 [count], can be learned."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = random.integers(0, 100, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 4] += 120
    order = random.permutation(count)
    return images[order], labels[order]


def tiny(count: int, seed: int = 0) -> Images:
    """Return normalized images."""
    images, labels = pixels(count, seed)
    return Images(images.astype(np.float32) / np.float32(255), labels)


TRAIN, VALIDATION = tiny(70), tiny(23, seed=1)


def recipe(name: str, **changes: object) -> Recipe:
    """Return a recipe of params.yaml, shortened, without dropout and augmentation, then changed.

    Args:
        changes: of a mapping those keys that are given, unless it has another ``name``.
    """
    values = RECIPES[name] | {"batch_size": 16, "epochs": 3, "augmentation": None}
    values["network"] = values["network"] | {"dropout": 0.0}
    for key, value in changes.items():
        before = values[key]
        if isinstance(before, dict) and value.get("name") in (None, before.get("name")):
            value = before | value
        values[key] = value
    return Recipe.model_validate(values)


ADAM = {"name": "adam", "learning_rate": 0.001, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4}


class Sprung:
    """An object whose unpickling would leave a trace."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)
