"""Figures by class: confusion matrix and recall."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist.dataset.classes import CLASSES, DISPLAY_NAMES
from fmnist.plot.canvas import BLUE


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray) -> Figure:
    """Draw how many images of each true class (row) were predicted as each class (column)."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(counts, (labels, predicted), 1)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)

    figure = Figure(figsize=(8, 7.2))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=10)
    label_matrix(axes, DISPLAY_NAMES)
    axes.set_title(f"Confusion matrix, {len(labels):,} test images")
    return figure


def label_matrix(axes: Axes, names: Sequence[str]) -> None:
    """Label a matrix whose rows are true classes and whose columns are predicted classes."""
    places = range(len(names))
    axes.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names)
    axes.set(xlabel="Predicted class", ylabel="True class")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def recall(metrics: dict[str, Any], labels: np.ndarray) -> Figure:
    """Draw each class's recall with its binomial standard error, the hardest class on top."""
    shares = [metrics["per_class"][name]["recall"] for name in CLASSES]
    per_class = pd.Series(shares, index=DISPLAY_NAMES)
    counts = np.maximum(np.bincount(labels, minlength=len(CLASSES)), 1)
    errors = pd.Series(np.sqrt(per_class * (1 - per_class) / counts), index=DISPLAY_NAMES)
    ordered = per_class.sort_values(ascending=False, kind="stable")

    figure = Figure(figsize=(7, 4.4))
    axes = figure.subplots()
    axes.barh(ordered.index, ordered, xerr=errors[ordered.index], color=BLUE, ecolor="black")
    for place, value in enumerate(ordered):
        axes.text(0.012, place, f"{value:.3f}", va="center", color="white", fontsize=10)
    axes.axvline(metrics["accuracy"], color="black", lw=1, ls=":")
    axes.set(
        title="Recall of each class, ± one standard error\n"
        f"(dotted: accuracy of all classes, {metrics['accuracy']:.3f})",
        xlabel="Share of the class's test images that is recognized",
        xlim=(0, 1),
    )
    axes.grid(visible=False, axis="y")
    return figure
