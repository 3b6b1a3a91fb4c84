"""Charts of results."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import results
from fmnist.plot import canvas
from fmnist.plot.canvas import BLUE, GREY, ORANGE


def save(figure: Figure, name: str) -> None:
    """Write ``docs/bench/<name>.png``, as wide as a page of text."""
    canvas.save(figure, results.FOLDER / f"{name}.png", dpi=100)


def bars(groups: list[list[tuple[str, Mapping[str, float]]]], title: str, label: str) -> Figure:
    """Draw summaries as bars: the median, with a line from the lowest to the highest value.

    A line ends at 1.25 times the longest bar, so that one slow run does not shrink all bars.

    Args:
        groups: names and summaries, in up to three groups: orange, blue and grey, from top to
            bottom. An indented name is a part of the one above it, and is paler.
    """
    colours = (ORANGE, BLUE, GREY)
    rows = [(*row, colour) for group, colour in zip(groups, colours, strict=False) for row in group]
    limit = 1.25 * max(of["median"] for _, of, _ in rows)
    canvas.apply_style()
    figure = Figure(figsize=(9, 1 + 0.28 * len(rows)))
    axes = figure.subplots()
    for y, (name, of, colour) in enumerate(rows):
        is_part = name.startswith(" ")
        axes.barh(y, of["median"], color=colour, alpha=0.45 if is_part else 1)
        end = min(of["max"], limit)
        axes.plot([of["min"], end], [y, y], color="black", lw=1.5)
        axes.annotate(
            f"{of['median']:.1f}" if of["median"] >= 0.95 else f"{of['median']:.2f}",
            (end, y),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontweight="normal" if is_part else "bold",
        )
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    for (name, _, _), text in zip(rows, axes.get_yticklabels(), strict=True):
        text.set_color("dimgray" if name.startswith(" ") else "black")
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(x=0.09, y=0.02)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label)
    figure.suptitle(title)
    return figure


def curves(
    panels: Mapping[tuple[str, str], Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    colours: Mapping[str, str],
    title: str,
) -> Figure:
    """Draw values against sizes, on linear axes from 0: linear growth is a straight line.

    Args:
        panels: labels of x and y → name of a line → its sizes and values; two panels in a row.
        colours: of lines by their names; grey for others.
    """
    canvas.apply_style()
    rows = math.ceil(len(panels) / 2)
    figure = Figure(figsize=(10, 3.5 * rows + 0.4))
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, ((x_label, y_label), lines) in zip(grid, panels.items(), strict=True):
        for name, (sizes, values) in lines.items():
            axes.plot(sizes, values, "o-", color=colours.get(name, GREY), ms=4)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.margins(x=0.03)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        ends = [
            (values[-1], sizes[-1], name, colours.get(name, "dimgray"))
            for name, (sizes, values) in lines.items()
        ]
        _label(axes, ends)
    figure.suptitle(title)
    return figure


def _label(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write names at the ends of lines, from the lowest up, so that none covers another.

    Args:
        ends: y, x, name and colour.
    """
    low, high = axes.get_ylim()
    free = low
    for end, x, name, colour in sorted(ends):
        y = max(end, free)
        free = y + 0.07 * (high - low)
        axes.annotate(
            name, (x, y), xytext=(8, 0), textcoords="offset points", va="center", color=colour
        )
