"""Scale pixels for the network, in a way that can be repeated on any later image."""

import math
from dataclasses import dataclass

import numpy as np

from fmnist.stage.command import InputError


@dataclass(frozen=True)
class Normalization:
    """``image = (pixel - shift) / scale`` in float32, for pixels in 0..255."""

    shift: float
    scale: float

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 of the same shape."""
        centred = pixels.astype(np.float32)
        centred -= np.float32(self.shift)
        centred /= np.float32(self.scale)
        return centred


def normalization(method: str, training_pixels: np.ndarray) -> Normalization:
    """Return the transformation.

    Args:
        method: ``unit`` maps 0..255 to 0..1; ``standardize`` takes the training pixels to mean 0
            and standard deviation 1.
        training_pixels: uint8, of any shape; of the training split alone.

    Raises:
        InputError: all training pixels are equal, so that they have no deviation.
    """
    if method == "unit":
        return Normalization(0.0, 255.0)
    # Sums of integers are exact, in whatever order they are taken.
    counts = np.bincount(training_pixels.ravel(), minlength=256).tolist()
    number = sum(counts)
    total = sum(count * value for value, count in enumerate(counts))
    squares = sum(count * value**2 for value, count in enumerate(counts))
    variance = (number * squares - total**2) / number**2
    if variance == 0:
        raise InputError(
            "params.yaml: preprocess.normalize: expected unit where all training pixels are equal,"
            " found standardize"
        )
    return Normalization(total / number, math.sqrt(variance))
