"""How far the confidence of predictions can be believed."""

from dataclasses import dataclass

import numpy as np

BINS = 15  # as in Guo et al. 2017, https://arxiv.org/abs/1706.04599


@dataclass(frozen=True)
class Calibration:
    """Predictions in equal bins of confidence, which is an image's highest probability.

    Attributes:
        counts: int64 [bins], images in a bin.
        confidence: float64 [bins], their mean confidence; NaN in an empty bin.
        accuracy: float64 [bins], the share of them that is right; NaN in an empty bin.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """The gap between confidence and accuracy, averaged over images.

        Guo et al. 2017, equation 3.
        """
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(self.counts * gaps) / self.counts.sum())


def calibration(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> Calibration:
    """Return the calibration of probabilities float32 [N, classes]; bins are open on the left."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(number, minlength=bins)
    filled = np.where(counts, counts, np.nan)
    return Calibration(
        counts,
        np.bincount(number, confidence, bins) / filled,
        np.bincount(number, right, bins) / filled,
    )
