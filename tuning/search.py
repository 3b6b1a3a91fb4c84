"""Which trial comes next, and how far it is trained."""

import json
import math
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import optuna

from fmnist.command import InputError
from tuning.space import TPE, Grid, Settings, Space, Sweep
from tuning.trials import FAILED, FIGURES, FINISHED, LOST, PAUSED, STOPPED, Trial

TO_THE_END = sys.maxsize  # epochs: however many the recipe has
AT_AN_END = (FINISHED, FAILED, LOST)


class Job(NamedTuple):
    """A trial, and the epoch up to which it is to be trained."""

    number: int
    values: Settings
    until: int


class Search(Protocol):
    """Says what to train next, and is told what came of it, be it now or before a crash.

    Attributes:
        count: of trials in all.
    """

    count: int

    def next(self) -> Job | None:
        """Return what to train next; None if there is nothing, or not before another ends."""

    def record(self, trial: Trial) -> None:
        """Take note of a trial that was trained as far as it was to be."""

    def stopped(self) -> list[Trial]:
        """Return the paused trials that need not go on, as stopped ones."""


def start(sweep: Sweep) -> Search:
    """Return the search that a space asks for.

    Raises:
        InputError: a combination that it would try is wrong.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return ModelBased(sweep) if isinstance(sweep.space.search, TPE) else InOrder(sweep)


class InOrder:
    """All combinations are known before; with successive halving, not all are trained to the end.

    A rung of it is decided when each of its trials has come that far, so the order in which they
    do decides nothing.
    """

    def __init__(self, sweep: Sweep) -> None:
        space = sweep.space
        self._all = sweep.grid() if isinstance(space.search, Grid) else _drawn(sweep)
        for values in self._all:
            sweep.recipe(values)
        self.count = len(self._all)
        self._space = space
        self._rungs = rungs(space, sweep.base["epochs"])
        self._trials: dict[int, Trial] = {}
        self._running: set[int] = set()

    def next(self) -> Job | None:
        """See `Search`."""
        going, until, _ = self._rung()
        for number in going:
            if number not in self._running and not self._reached(number, until):
                self._running.add(number)
                return Job(number, self._all[number], until)
        return None

    def record(self, trial: Trial) -> None:
        """See `Search`.

        Raises:
            InputError: a trial of this number has other values here.
        """
        if trial.number < self.count and trial.values != self._all[trial.number]:
            raise InputError(
                f"expected trial {trial.number} of this space, search and version of Optuna to be"
                f" {self._all[trial.number]}, found {trial.values}; move the sweep's results away,"
                " and it begins anew"
            )
        self._trials[trial.number] = trial
        self._running.discard(trial.number)

    def stopped(self) -> list[Trial]:
        """See `Search`."""
        _, _, out = self._rung()
        known = [self._trials[number] for number in out]
        return [replace(trial, state=STOPPED) for trial in known if trial.state == PAUSED]

    def _rung(self) -> tuple[list[int], int, list[int]]:
        """Return the trials that are still in, how far they go now, and those that are out."""
        going, out = list(range(self.count)), []
        for until in self._rungs[:-1]:
            if not all(self._reached(number, until) for number in going):
                return going, until, out
            ranked = sorted(going, key=lambda number: (self._rank(number, until), number))
            going = ranked[
                : math.ceil(len(going) / self._space.successive_halving.reduction_factor)
            ]
            out += ranked[len(going) :]
        return going, self._rungs[-1], out

    def _reached(self, number: int, until: int) -> bool:
        trial = self._trials.get(number)
        return trial is not None and (trial.state in AT_AN_END or trial.epochs >= until)

    def _rank(self, number: int, until: int) -> float:
        """Return a number that is lower, the better a trial was at an epoch.

        One that failed later keeps its rank there, so that what was decided stays.
        """
        trial = self._trials[number]
        if trial.epochs < until and trial.state in (FAILED, LOST):
            return math.inf
        figure = trial.history[min(until, trial.epochs) - 1][self._space.objective]
        return cost(figure, self._space)


class ModelBased:
    """Each combination is drawn by Optuna from what came of those before it."""

    def __init__(self, sweep: Sweep) -> None:
        self.count = sweep.space.search.trials
        self._space = sweep.space
        self._distributions = distributions(sweep)
        self._known: dict[int, Trial] = {}
        self._asked: dict[int, optuna.Trial] = {}
        self._study: optuna.Study | None = None

    def next(self) -> Job | None:
        """See `Search`."""
        if self._study is None:
            self._study = self._begin()
        for number in range(self.count):
            if number not in self._known and number not in self._asked:
                self._asked[number] = self._study.ask(self._distributions)
                return Job(number, _decoded(self._asked[number].params, self._space), TO_THE_END)
        return None

    def record(self, trial: Trial) -> None:
        """See `Search`."""
        self._known[trial.number] = trial
        asked = self._asked.pop(trial.number, None)
        if asked is not None:
            if not trial.scores:
                self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
            else:
                self._study.tell(asked, cost(trial.scores[self._space.objective], self._space))

    def stopped(self) -> list[Trial]:
        """See `Search`."""
        return []

    def _begin(self) -> optuna.Study:
        """Return a study that knows the trials so far, and does not draw as it did for them."""
        sampler = optuna.samplers.TPESampler(
            seed=self._space.search.seed + len(self._known), constant_liar=True
        )
        study = optuna.create_study(sampler=sampler)
        study.add_trials(as_optuna(list(self._known.values()), self._space, self._distributions))
        return study


def rungs(space: Space, epochs: int) -> list[int]:
    """Return the epochs after which trials are compared, and at last `TO_THE_END`."""
    found = []
    if halving := space.successive_halving:
        until = halving.min_epochs
        while until < epochs:
            found.append(until)
            until *= halving.reduction_factor
    return [*found, TO_THE_END]


def cost(figure: float, space: Space) -> float:
    """Return the objective as what is to be made small."""
    return -figure if space.objective == "val_accuracy" else figure


def best(trials: Iterable[Trial], space: Space) -> list[Trial]:
    """Return the trials that have figures: finished ones first, then by epochs; the best first."""

    def rank(trial: Trial) -> tuple[float, ...]:
        finished = trial.state == FINISHED
        epochs = math.inf if finished else trial.epochs
        return -epochs, cost(trial.scores[space.objective], space), trial.number

    return sorted((trial for trial in trials if trial.scores), key=rank)


def compared(trials: Iterable[Trial], space: Space) -> list[Trial]:
    """Return the trials that can be compared, with figures of equal epochs.

    With successive halving these are of its first rung, which all trials reach; without it, of the
    saved weights of those that were trained to the end.
    """
    if space.successive_halving is None:
        return [trial for trial in trials if trial.state == FINISHED]
    first = space.successive_halving.min_epochs
    return [
        replace(trial, scores={name: trial.history[first - 1][name] for name in FIGURES})
        for trial in trials
        if trial.epochs >= first
    ]


def distributions(sweep: Sweep) -> dict[str, optuna.distributions.BaseDistribution]:
    """Return what Optuna draws from. Choices are JSON, for Optuna takes no lists."""
    found: dict[str, optuna.distributions.BaseDistribution] = {}
    for key, values in sweep.space.parameters.items():
        if values.choices is not None:
            choices = [json.dumps(choice) for choice in values.choices]
            found[key] = optuna.distributions.CategoricalDistribution(choices)
        elif sweep.is_whole(key):
            found[key] = optuna.distributions.IntDistribution(
                values.low, values.high, log=values.log, step=values.step or 1
            )
        else:
            found[key] = optuna.distributions.FloatDistribution(
                values.low, values.high, log=values.log, step=values.step
            )
    return found


def as_optuna(
    trials: list[Trial],
    space: Space,
    of: dict[str, optuna.distributions.BaseDistribution],
) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that have figures as Optuna knows them, to be made small."""
    return [
        optuna.trial.create_trial(
            params={
                key: json.dumps(value) if space.parameters[key].choices is not None else value
                for key, value in trial.values.items()
            },
            distributions=of,
            value=cost(trial.scores[space.objective], space),
        )
        for trial in trials
        if trial.scores
    ]


def _drawn(sweep: Sweep) -> list[Settings]:
    """Return the combinations of a random search; the first ones do not depend on their number."""
    search = sweep.space.search
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=search.seed))
    of = distributions(sweep)
    return [_decoded(study.ask(of).params, sweep.space) for _ in range(search.trials)]


def _decoded(params: dict[str, Any], space: Space) -> Settings:
    return {
        key: json.loads(value) if space.parameters[key].choices is not None else value
        for key, value in params.items()
    }
