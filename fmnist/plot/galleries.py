"""Figures that show images: predictions, mistakes, the first training batch."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist.dataset.classes import DISPLAY_NAMES
from fmnist.dataset.images import Images
from fmnist.plot.canvas import BLUE, GREY, ORANGE


def predictions(test: Images, probabilities: np.ndarray) -> Figure:
    """Draw each image beside its probabilities of the ten classes: right blue, wrong orange."""
    rows = len(test.labels)
    figure = Figure(figsize=(8, 2.9 * rows))
    for (picture, bars), image, label, row in zip(
        figure.subplots(rows, 2, squeeze=False, width_ratios=[1, 1.7]),
        test.images,
        test.labels,
        probabilities,
        strict=True,
    ):
        predicted = row.argmax()
        _show(picture, image, test.images)
        picture.set_title(
            f"predicted: {DISPLAY_NAMES[predicted]}\ntrue: {DISPLAY_NAMES[label]}", fontsize=11
        )
        colours = [GREY] * len(DISPLAY_NAMES)
        colours[predicted] = BLUE if predicted == label else ORANGE
        bars.barh(DISPLAY_NAMES, row, color=colours)
        for place, probability in enumerate(row):
            inside = probability > 0.85
            bars.text(
                probability + (-0.01 if inside else 0.01),
                place,
                f"{probability:.3f}",
                va="center",
                ha="right" if inside else "left",
                color="white" if inside else "black",
                fontsize=8,
            )
        bars.set(xlim=(0, 1), xlabel="Probability")
        bars.invert_yaxis()
        bars.tick_params(axis="y", labelsize=9)
        bars.grid(visible=False, axis="y")
    figure.suptitle(f"The first {rows} test images")
    return figure


def mistakes(test: Images, probabilities: np.ndarray, count: int) -> Figure:
    """Draw the wrong predictions of the highest probability, the most confident first."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != test.labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    titles = [
        f"{DISPLAY_NAMES[predicted[i]]} {confidence[i]:.2f}\ntrue: {DISPLAY_NAMES[test.labels[i]]}"
        for i in shown
    ]
    return gallery(
        Images(test.images[shown], test.labels[shown]),
        titles,
        f"The most confident of {len(wrong):,} mistakes among {len(test.labels):,} test images",
    )


def training_images(batch: Images, count: int) -> Figure:
    """Draw the first images of the first training batch, as the network saw them."""
    shown = Images(batch.images[:count], batch.labels[:count])
    return gallery(
        shown,
        [DISPLAY_NAMES[label] for label in shown.labels],
        f"The first {len(shown.labels)} training images of epoch 1, as the network saw them",
    )


def gallery(shown: Images, titles: list[str], title: str, columns: int = 8) -> Figure:
    """Draw images in rows, each below its title of up to two lines."""
    rows = max(1, math.ceil(len(titles) / columns))
    figure = Figure(figsize=(1.45 * columns, 1.85 * rows + 0.5))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, image, text in zip(grid, shown.images, titles, strict=False):
        _show(axes, image, shown.images)
        axes.set_title(text, fontsize=9)
    figure.suptitle(title)
    return figure


def _show(axes: Axes, image: np.ndarray, like: np.ndarray) -> None:
    axes.imshow(image, cmap="gray_r", vmin=like.min(), vmax=like.max())
    axes.set_axis_off()
