"""The order of a sweep's trials, and which of them can be compared."""

import math
from collections.abc import Iterable
from dataclasses import replace

from fmnist.sweeps.space import Space
from fmnist.sweeps.trials import FINISHED, SCORES, Trial


def best(trials: Iterable[Trial], space: Space) -> list[Trial]:
    """Return the trials that have scores: finished ones first, then by epochs; the best first."""

    def rank(trial: Trial) -> tuple[float, ...]:
        epochs = math.inf if trial.state == FINISHED else trial.epochs
        return -epochs, space.to_minimize(trial.scores), trial.number

    return sorted((trial for trial in trials if trial.scores), key=rank)


def compared(trials: Iterable[Trial], space: Space) -> list[Trial]:
    """Return the trials that can be compared, with scores of equal epochs.

    With successive halving these are the scores of its first rung, which all trials reach; without
    it, those of the saved weights of finished trials.
    """
    if space.successive_halving is None:
        return [trial for trial in trials if trial.state == FINISHED]
    first = space.successive_halving.min_epochs
    return [
        replace(trial, scores={name: trial.history[first - 1][name] for name in SCORES})
        for trial in trials
        if trial.epochs >= first
    ]
