"""The metrics in ``metrics/test.json``."""

import math
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_fscore_support, top_k_accuracy_score

from fmnist.dataset.classes import CLASSES
from fmnist.network.scores import correct, losses
from fmnist.predictions.calibration import calibration
from fmnist.stage.files import rounded


def measure(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return metrics as scalars and nested mappings, rounded to 6 decimals.

    Args:
        probabilities: float32 [N, 10], a row's highest is its prediction.
        labels: uint8 [N].

    ``accuracy_standard_error`` is the binomial one, sqrt(p (1 - p) / N); ``loss_standard_error``
    the deviation of the losses (N - 1) over sqrt(N), 0 for one image. Precision and recall are 0
    where nothing was predicted or present.
    """
    count, right = len(labels), correct(probabilities, labels)
    accuracy, loss = right / count, losses(probabilities, labels)
    every = range(len(CLASSES))
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, probabilities.argmax(axis=1), labels=every, zero_division=0
    )
    return rounded(
        {
            "accuracy": accuracy,
            "accuracy_standard_error": math.sqrt(accuracy * (1 - accuracy) / count),
            "loss": float(loss.mean()),
            "loss_standard_error": float(loss.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0,
            "correct": right,
            "top_2_accuracy": float(top_k_accuracy_score(labels, probabilities, k=2, labels=every)),
            "expected_calibration_error": calibration(probabilities, labels).expected_error,
            "per_class": {
                name: {
                    "precision": float(precision[label]),
                    "recall": float(recall[label]),
                    "f1": float(f1[label]),
                }
                for label, name in enumerate(CLASSES)
            },
        }
    )
