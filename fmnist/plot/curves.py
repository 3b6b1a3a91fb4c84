"""Learning curves."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fmnist.plot.canvas import BLUE, ORANGE

LABELS = {"accuracy": "Accuracy", "loss": "Loss (cross-entropy, nats)"}


def curve(history: pd.DataFrame, metric: str, saved_epoch: int) -> Figure:
    """Draw ``metric`` and ``val_<metric>`` over epochs; mark the epoch whose weights are kept."""
    figure = Figure(figsize=(7, 4.2))
    axes = figure.subplots()
    marker = "o" if len(history) < 20 else None
    for column, name, colour in (
        (metric, "training (while it learns)", BLUE),
        (f"val_{metric}", "validation (after the epoch)", ORANGE),
    ):
        axes.plot(history["epoch"], history[column], color=colour, marker=marker, ms=4, label=name)
    axes.axvline(
        saved_epoch, color="black", lw=1, ls=":", label=f"saved weights: epoch {saved_epoch}"
    )
    axes.set(title=f"{LABELS[metric].split(' ')[0]} of training and validation", xlabel="Epoch")
    axes.set_ylabel(LABELS[metric])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure
