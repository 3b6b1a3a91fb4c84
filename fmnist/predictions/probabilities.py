"""Predictions of the test images, as ``data/predictions.npz`` holds them."""

from pathlib import Path

import numpy as np

from fmnist.dataset import arrays
from fmnist.dataset.classes import CLASSES


def save(path: Path, probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Write probabilities float32 [N, 10] and labels uint8 [N]."""
    arrays.save(path, probabilities=probabilities, labels=labels)


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and labels, checked; see `arrays.load` for what is raised."""
    probabilities, labels = arrays.load(
        path, probabilities=("float32", ("N", len(CLASSES))), labels=("uint8", ("N",))
    )
    return probabilities, labels
