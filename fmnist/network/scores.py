"""Accuracy and loss of predicted probabilities, from exact counts and float64."""

import numpy as np


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return each image's sparse categorical cross-entropy in nats: float64 [N].

    A probability of 0 counts as the smallest normal float32, 1.2e-38, so a loss is below 88.
    """
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(of_label, np.finfo(np.float32).tiny))


def correct(probabilities: np.ndarray, labels: np.ndarray) -> int:
    """Return how many images have their highest probability at their label."""
    return int(np.count_nonzero(probabilities.argmax(axis=1) == labels))


def accuracy_and_loss(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the share of right predictions and the mean loss, rounded to 6 decimals."""
    return (
        round(correct(probabilities, labels) / len(labels), 6),
        round(float(losses(probabilities, labels).mean()), 6),
    )
