"""Pictures of a sweep. Import after ``contract.apply()``, as all that imports Matplotlib."""

import json
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist.plot.canvas import BLUE, GREY, ORANGE
from tuning.space import Space
from tuning.trials import FINISHED, STOPPED, Trial

LABELS = {"val_accuracy": "Validation accuracy", "val_loss": "Validation loss in nats"}
COLUMNS = 3


def parameters(trials: list[Trial], space: Space) -> Figure:
    """Draw the objective against each parameter, a point for each trial that has it."""
    names = list(space.parameters)
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(10, 3.2 * rows))
    panels = figure.subplots(rows, min(COLUMNS, len(names)), squeeze=False, sharey=True).flat
    for name, axes in zip(names, panels, strict=False):
        _points(axes, _axis(axes.xaxis, name, trials, space), trials, space)
        axes.set(xlabel=name)
    for axes in list(panels):
        axes.set_visible(False)
    figure.supylabel(LABELS[space.objective])
    figure.suptitle(
        "Each parameter against the objective (orange: stopped early; triangle: far beyond)"
    )
    return figure


def importance(shares: dict[str, float]) -> Figure:
    """Draw the share of the objective's variance that each parameter explains."""
    figure = Figure(figsize=(8, 1.4 + 0.4 * len(shares)))
    axes = figure.subplots()
    axes.barh(list(shares), list(shares.values()), color=BLUE)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(
        title="Importance of parameters (fANOVA)", xlabel="Share of the variance of the objective"
    )
    return figure


def parallel_coordinates(trials: list[Trial], space: Space) -> Figure:
    """Draw each trial as a line over the parameters to the objective; the best tenth in blue."""
    names = list(space.parameters)
    figures = _figures(trials, space)
    good = figures if space.objective == "val_accuracy" else -figures
    figure = Figure(figsize=(10, 4.6))
    axes = figure.subplots()
    columns, labels = [], []
    for name in [*names, space.objective]:
        if name in names:
            places, ticks = _places(name, trials, space)
            ends = {place: _number(name, place, space) for place in (min(places), max(places))}
        else:
            places, ticks = _within_fences(figures).tolist(), None
            low, high = min(places), max(places)
            ends = {
                low: f"{low:.4f}{' or less' if figures.min() < low else ''}",
                high: f"{high:.4f}{' or more' if figures.max() > high else ''}",
            }
        ticks = ticks or ends
        low, spread = min(ticks), (max(ticks) - min(ticks)) or 1.0
        columns.append([(place - low) / spread for place in places])
        labels.append({(place - low) / spread: text for place, text in ticks.items()})
    lines = np.array(columns)  # [parameters + 1, trials]
    order = np.argsort(good, kind="stable")
    first_best = len(order) - max(1, len(order) // 10)
    for rank, number in enumerate(order):
        is_best = rank >= first_best
        axes.plot(lines[:, number], color=BLUE if is_best else GREY, alpha=0.9 if is_best else 0.3)
    for place, ticks in enumerate(labels):
        axes.axvline(place, color="black", lw=0.8)
        for height, text in ticks.items():
            axes.annotate(
                text, (place, height), xytext=(4, 2), textcoords="offset points", fontsize=9
            )
    titles = [name.replace(".", ".\n") for name in [*names, space.objective]]
    axes.set_xticks(range(len(labels)), titles)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set(title="Trials as lines (blue: the best tenth)", xlim=(-0.1, len(labels) - 0.6))
    return figure


def cost(trials: list[Trial], space: Space) -> Figure:
    """Draw the objective against the seconds of training."""
    figure = Figure(figsize=(8, 4.6))
    axes: Axes = figure.subplots()
    _points(axes, [trial.seconds for trial in trials], trials, space)
    axes.set(
        title="What a trial costs and reaches (orange: stopped early; triangle: far beyond)",
        xlabel="Seconds of training",
        ylabel=LABELS[space.objective],
    )
    return figure


def _points(axes: Axes, places: list[float], trials: list[Trial], space: Space) -> None:
    """Draw the objective of each trial; a triangle at the edge if it is far beyond the others."""
    figures = _figures(trials, space)
    shown = _within_fences(figures)
    for state, colour in ((STOPPED, ORANGE), (FINISHED, BLUE)):
        is_of = np.array([trial.state == state for trial in trials])
        for marker, is_there in (
            ("o", shown == figures),
            ("v", shown > figures),
            ("^", shown < figures),
        ):
            chosen = is_of & is_there
            axes.plot(
                np.array(places)[chosen], shown[chosen], marker, color=colour, alpha=0.7, ms=5
            )


def _figures(trials: list[Trial], space: Space) -> np.ndarray:
    return np.array([trial.scores[space.objective] for trial in trials])


def _within_fences(figures: np.ndarray) -> np.ndarray:
    """Move what is far out to Tukey's outer fences, so that one diverged trial hides no other.

    Tukey 1977, Exploratory Data Analysis: three interquartile ranges beyond the quartiles.
    """
    first, third = np.percentile(figures, [25, 75])
    reach = 3 * (third - first)
    return np.clip(figures, first - reach, third + reach) if reach else figures


def _axis(axis: Any, name: str, trials: list[Trial], space: Space) -> list[float]:
    """Prepare an axis for a parameter, and return where on it each trial is."""
    places, ticks = _places(name, trials, space)
    if ticks:
        is_long = sum(map(len, ticks.values())) > 30
        slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
        axis.set_ticks(list(ticks), list(ticks.values()), fontsize=9, **slanted)
        axis.axes.margins(x=0.15)
    elif space.parameters[name].log:
        low, high = int(np.floor(min(places))), int(np.ceil(max(places)))
        axis.set_ticks(range(low, high + 1), [f"{10.0**power:g}" for power in range(low, high + 1)])
    return places


def _places(
    name: str, trials: list[Trial], space: Space
) -> tuple[list[float], dict[float, str] | None]:
    """Return each trial's place on the axis of a parameter, and its choices, if it has any."""
    values = space.parameters[name]
    if values.choices is not None:
        texts = [json.dumps(choice) for choice in values.choices]
        found = [float(texts.index(json.dumps(trial.values[name]))) for trial in trials]
        return found, {float(place): text for place, text in enumerate(texts)}
    found = [float(trial.values[name]) for trial in trials]
    return [float(np.log10(value)) for value in found] if values.log else found, None


def _number(name: str, place: float, space: Space) -> str:
    return f"{10.0**place if space.parameters[name].log else place:.3g}"
