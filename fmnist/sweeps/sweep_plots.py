"""Pictures of a sweep."""

import json

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist.plot.canvas import BLUE, GREY, ORANGE
from fmnist.sweeps.space import Space
from fmnist.sweeps.trials import FINISHED, STOPPED, Trial

LABELS = {"val_accuracy": "Validation accuracy", "val_loss": "Validation loss in nats"}
COLUMNS = 3

Ticks = dict[float, str]  # labels by their positions on an axis


def parameters(trials: list[Trial], space: Space) -> Figure:
    """Draw the objective against each parameter, a point for each trial that has it."""
    names = list(space.parameters)
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(10, 3.2 * rows))
    panels = figure.subplots(rows, min(COLUMNS, len(names)), squeeze=False, sharey=True).flat
    for name, axes in zip(names, panels, strict=False):
        positions, choices = _positions(name, trials, space)
        if choices:
            is_long = sum(map(len, choices.values())) > 30
            slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
            axes.set_xticks(list(choices), list(choices.values()), fontsize=9, **slanted)
            axes.margins(x=0.15)
        elif space.parameters[name].log:
            powers = range(int(np.floor(min(positions))), int(np.ceil(max(positions))) + 1)
            axes.set_xticks(powers, [f"{10.0**power:g}" for power in powers])
        _points(axes, positions, trials, space)
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
    columns = [_coordinates(name, trials, space) for name in space.parameters]
    columns.append(_objective_coordinates(_figures(trials, space)))

    def scale(position: float, ticks: Ticks) -> float:
        return (position - min(ticks)) / ((max(ticks) - min(ticks)) or 1.0)

    figure = Figure(figsize=(10, 4.6))
    axes = figure.subplots()
    worst_first = sorted(
        range(len(trials)), key=lambda number: -space.to_minimize(trials[number].scores)
    )
    first_best = len(trials) - max(1, len(trials) // 10)
    for rank, number in enumerate(worst_first):
        is_best = rank >= first_best
        axes.plot(
            [scale(positions[number], ticks) for positions, ticks in columns],
            color=BLUE if is_best else GREY,
            alpha=0.9 if is_best else 0.3,
        )
    for number, (_, ticks) in enumerate(columns):
        axes.axvline(number, color="black", lw=0.8)
        for position, text in ticks.items():
            end = (number, scale(position, ticks))
            axes.annotate(text, end, xytext=(4, 2), textcoords="offset points", fontsize=9)
    titles = [name.replace(".", ".\n") for name in [*space.parameters, space.objective]]
    axes.set_xticks(range(len(titles)), titles)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set(title="Trials as lines (blue: the best tenth)", xlim=(-0.1, len(titles) - 0.6))
    return figure


def cost(trials: list[Trial], space: Space) -> Figure:
    """Draw the objective against the seconds of training."""
    figure = Figure(figsize=(8, 4.6))
    axes = figure.subplots()
    _points(axes, [trial.seconds for trial in trials], trials, space)
    axes.set(
        title="What a trial costs and reaches (orange: stopped early; triangle: far beyond)",
        xlabel="Seconds of training",
        ylabel=LABELS[space.objective],
    )
    return figure


def _points(axes: Axes, positions: list[float], trials: list[Trial], space: Space) -> None:
    """Draw the objective of each trial; a triangle at the edge if it is far beyond the others."""
    figures = _figures(trials, space)
    shown = _within_fences(figures)
    for state, colour in ((STOPPED, ORANGE), (FINISHED, BLUE)):
        in_state = np.array([trial.state == state for trial in trials])
        for marker, beyond in (("o", 0), ("v", 1), ("^", -1)):
            chosen = in_state & (np.sign(shown - figures) == beyond)
            axes.plot(
                np.array(positions)[chosen], shown[chosen], marker, color=colour, alpha=0.7, ms=5
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


def _positions(name: str, trials: list[Trial], space: Space) -> tuple[list[float], Ticks]:
    """Return each trial's position on the axis of a parameter, and the ticks of its choices."""
    domain = space.parameters[name]
    values = [trial.values[name] for trial in trials]
    if domain.choices is not None:
        texts = [json.dumps(choice) for choice in domain.choices]
        found = [float(texts.index(json.dumps(value))) for value in values]
        return found, {float(position): text for position, text in enumerate(texts)}
    return [float(np.log10(value)) if domain.log else float(value) for value in values], {}


def _coordinates(name: str, trials: list[Trial], space: Space) -> tuple[list[float], Ticks]:
    """Return `_positions`; without choices, the lowest and the highest are the ticks."""
    positions, choices = _positions(name, trials, space)
    log = space.parameters[name].log
    ends = {end: f"{10.0**end if log else end:.3g}" for end in (min(positions), max(positions))}
    return positions, choices or ends


def _objective_coordinates(figures: np.ndarray) -> tuple[list[float], Ticks]:
    shown = _within_fences(figures).tolist()
    low, high = min(shown), max(shown)
    return shown, {
        low: f"{low:.4f}{' or less' if figures.min() < low else ''}",
        high: f"{high:.4f}{' or more' if figures.max() > high else ''}",
    }
