"""Predictions as a table of text."""

import numpy as np
import pandas as pd

from fmnist.dataset.classes import DISPLAY_NAMES


def table(labels: np.ndarray, probabilities: np.ndarray) -> str:
    """Return a column for each image, with its classes and its ten probabilities."""
    columns = {
        f"image {number}": [
            DISPLAY_NAMES[label],
            DISPLAY_NAMES[row.argmax()],
            *(f"{p:.4f}" for p in row),
        ]
        for number, (label, row) in enumerate(zip(labels, probabilities, strict=True), start=1)
    }
    return pd.DataFrame(columns, index=["true class", "predicted", *DISPLAY_NAMES]).to_string()
