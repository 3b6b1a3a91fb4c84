"""Reliability diagram."""

import numpy as np
from matplotlib.figure import Figure

from fmnist.plot.canvas import BLUE, GREY
from fmnist.predictions.calibration import BINS, Calibration


def reliability(calibration: Calibration) -> Figure:
    """Draw accuracy against confidence, above how many images have that confidence."""
    figure = Figure(figsize=(6, 6.4))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    edges = np.linspace(0, 1, BINS + 1)
    upper.plot([0, 1], [0, 1], color=GREY, ls="--", label="as confident as right")
    upper.bar(
        edges[:-1],
        np.nan_to_num(calibration.accuracy),
        width=1 / BINS,
        align="edge",
        color=BLUE,
        edgecolor="white",
        label="accuracy of the bin",
    )
    upper.plot(
        calibration.confidence,
        calibration.accuracy,
        "o",
        color="black",
        ms=4,
        label="its mean confidence",
    )
    upper.set(
        title=f"Reliability: expected calibration error {calibration.expected_error:.4f}",
        ylabel="Accuracy",
        ylim=(0, 1),
    )
    upper.legend(loc="upper left")
    lower.bar(
        edges[:-1], calibration.counts, width=1 / BINS, align="edge", color=GREY, edgecolor="white"
    )
    lower.set(xlabel="Confidence (highest probability of an image)", ylabel="Images", xlim=(0, 1))
    lower.set_yscale("symlog", linthresh=10)
    return figure
