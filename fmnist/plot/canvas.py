"""Figures that look the same on every machine, whatever Matplotlib's user has configured."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from fmnist.stage.files import replacing

# Okabe and Ito's colours, told apart by colour-blind people too: https://jfly.uni-koeln.de/color/
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"

STYLE = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # comes with Matplotlib
    "font.size": 11,
    "grid.alpha": 0.3,
}


def apply_style() -> None:
    """Replace Matplotlib's settings, a ``matplotlibrc``'s among them, by this project's."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a PNG file without the version of the program that wrote it."""
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
