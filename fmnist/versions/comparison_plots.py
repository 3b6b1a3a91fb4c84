"""Plots of two versions side by side."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fmnist.dataset.images import Images
from fmnist.plot import galleries
from fmnist.plot.canvas import BLUE, ORANGE
from fmnist.plot.curves import LABELS
from fmnist.plot.per_class import label_matrix
from fmnist.versions.comparison import Comparison
from fmnist.versions.confusion import display_name, matrices

IMAGES = 24  # in a gallery


def draw(found: Comparison) -> dict[str, tuple[str, Figure]]:
    """Return a title and a figure by the name of each plot that can be drawn."""
    figures = {}
    if found.histories is not None:
        figures["learning_curves"] = "Learning curves", learning_curves(*found.histories)
    if found.predictions is not None:
        figures["confusion_change"] = (
            "Change of the confusion matrix",
            confusion_change(*matrices(found.predictions)),
        )
        if found.test is not None:
            for side, other in (("base", "head"), ("head", "base")):
                title = f"Test images that only {side} gets right"
                figure = gallery(found.test, found.predictions, side, other)
                figures[f"only_{side}_right"] = title, figure
    return figures


def learning_curves(base: pd.DataFrame, head: pd.DataFrame) -> Figure:
    """Draw accuracy and loss of both histories over epochs, on the same axes."""
    figure = Figure(figsize=(11, 4.4))
    for axes, metric in zip(figure.subplots(1, 2), LABELS, strict=True):
        for side, history, colour in (("base", base, BLUE), ("head", head, ORANGE)):
            for split, prefix, style in (("training", "", ":"), ("validation", "val_", "-")):
                axes.plot(
                    history["epoch"],
                    history[f"{prefix}{metric}"],
                    color=colour,
                    ls=style,
                    marker="o" if len(history) < 20 else None,
                    ms=3,
                    label=f"{side}, {split}",
                )
        axes.set(xlabel="Epoch", ylabel=LABELS[metric])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle("Learning curves of both versions")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def confusion_change(base: pd.DataFrame, head: pd.DataFrame) -> Figure:
    """Draw how many more images of each class head assigns to each; see `confusion.matrices`."""
    change = head - base
    better = np.where(np.eye(len(change), dtype=bool), change, -change)
    limit = max(1, np.abs(better).max())

    figure = Figure(figsize=(8, 7.2))
    axes = figure.subplots()
    axes.imshow(better, cmap="PuOr", vmin=-limit, vmax=limit)
    for (row, column), count in np.ndenumerate(change.to_numpy()):
        if count:
            colour = "white" if abs(count) > 0.6 * limit else "black"
            axes.text(column, row, f"{count:+d}", ha="center", va="center", color=colour)
    label_matrix(axes, [display_name(name) for name in change.columns])
    axes.set_title("Confusion matrix, head less base\n(purple: better, orange: worse)")
    return figure


def gallery(test: Images, predictions: pd.DataFrame, side: str, other: str) -> Figure:
    """Draw the first test images that only ``side`` gets right, and what ``other`` predicts."""
    right = predictions[[side, other]].eq(predictions["actual"], axis=0)
    found = np.flatnonzero(right[side] & ~right[other])
    shown = found[:IMAGES]
    names = predictions[["actual", other]].map(display_name)
    titles = [f"{names['actual'][i]}\n{other}: {names[other][i]}" for i in shown]
    return galleries.gallery(
        Images(test.images[shown], test.labels[shown]),
        titles,
        f"The first {len(shown)} of {len(found):,} test images that only {side} gets right",
    )
