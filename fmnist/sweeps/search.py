"""Which trial is next, and how far it is trained."""

import json
import math
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fmnist.stage.command import InputError
from fmnist.sweeps.space import TPE, Grid, Space
from fmnist.sweeps.sweep import Settings, Sweep
from fmnist.sweeps.trials import FAILED, FINISHED, LOST, PAUSED, STOPPED, Trial

TO_THE_END = sys.maxsize  # epochs: however many the recipe has
ENDED = (FINISHED, FAILED, LOST)


class Job(NamedTuple):
    """A trial, and the epoch up to which to train it."""

    number: int
    values: Settings
    until: int


class Search(Protocol):
    """Decides what to train next from the results so far, of this run and of earlier ones.

    Attributes:
        count: of trials in all.
    """

    count: int

    def next(self) -> Job | None:
        """Return what to train next; None if there is nothing, or not before another job ends."""

    def record(self, trial: Trial) -> None:
        """Take note of a trial whose job has ended."""

    def stopped(self) -> list[Trial]:
        """Return the paused trials that need no more training, as stopped ones."""


def start(sweep: Sweep) -> Search:
    """Return the search that a space asks for.

    Raises:
        InputError: a combination that it would try is invalid.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return ModelBased(sweep) if isinstance(sweep.space.search, TPE) else Predetermined(sweep)


class Predetermined:
    """A grid or a random search: all combinations are known before the first result.

    With successive halving, a rung is decided once each of its trials has reached it, so the order
    in which they do decides nothing.
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
        kept, until, _ = self._rung()
        for number in kept:
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
                f" {self._all[trial.number]}, found {trial.values}; move the sweep's results away"
                " to start it again"
            )
        self._trials[trial.number] = trial
        self._running.discard(trial.number)

    def stopped(self) -> list[Trial]:
        """See `Search`."""
        _, _, dropped = self._rung()
        known = [self._trials[number] for number in dropped]
        return [replace(trial, state=STOPPED) for trial in known if trial.state == PAUSED]

    def _rung(self) -> tuple[list[int], int, list[int]]:
        """Return the trials that are kept, the epoch up to which to train them, and the others."""
        kept, dropped = list(range(self.count)), []
        for until in self._rungs[:-1]:
            if not all(self._reached(number, until) for number in kept):
                return kept, until, dropped
            ranked = sorted(kept, key=lambda number: (self._rank(number, until), number))
            count = math.ceil(len(kept) / self._space.successive_halving.reduction_factor)
            kept = ranked[:count]
            dropped += ranked[count:]
        return kept, self._rungs[-1], dropped

    def _reached(self, number: int, until: int) -> bool:
        trial = self._trials.get(number)
        return trial is not None and (trial.state in ENDED or trial.epochs >= until)

    def _rank(self, number: int, until: int) -> float:
        """Return the objective at an epoch, lower is better.

        A trial that fails later keeps its rank there, so earlier decisions hold.
        """
        trial = self._trials[number]
        if trial.epochs < until and trial.state in (FAILED, LOST):
            return math.inf
        return self._space.to_minimize(trial.history[until - 1])


class ModelBased:
    """Optuna draws each combination from the results of those before it."""

    def __init__(self, sweep: Sweep) -> None:
        self.count = sweep.space.search.trials
        self._space = sweep.space
        self._distributions = distributions(sweep)
        self._known: dict[int, Trial] = {}
        self._asked: dict[int, optuna.Trial] = {}
        self._study: optuna.Study | None = None

    def next(self) -> Job | None:
        """See `Search`."""
        if self._study is None:  # only now, with all that earlier runs found
            search = self._space.search
            # Another seed than theirs, which would draw their combinations again.
            sampler = optuna.samplers.TPESampler(
                seed=search.seed + len(self._known), constant_liar=True
            )
            self._study = optuna.create_study(sampler=sampler)
            known = as_optuna(self._known.values(), self._space, self._distributions)
            self._study.add_trials(known)
        for number in range(self.count):
            if number not in self._known and number not in self._asked:
                self._asked[number] = self._study.ask(self._distributions)
                return Job(number, _decoded(self._asked[number].params, self._space), TO_THE_END)
        return None

    def record(self, trial: Trial) -> None:
        """See `Search`."""
        self._known[trial.number] = trial
        asked = self._asked.pop(trial.number, None)
        if asked is not None and trial.scores:
            self._study.tell(asked, self._space.to_minimize(trial.scores))
        elif asked is not None:
            self._study.tell(asked, state=optuna.trial.TrialState.FAIL)

    def stopped(self) -> list[Trial]:
        """See `Search`."""
        return []


def rungs(space: Space, epochs: int) -> list[int]:
    """Return the epochs after which trials are compared, and at last `TO_THE_END`."""
    found = []
    if halving := space.successive_halving:
        until = halving.min_epochs
        while until < epochs:
            found.append(until)
            until *= halving.reduction_factor
    return [*found, TO_THE_END]


def distributions(sweep: Sweep) -> dict[str, BaseDistribution]:
    """Return what Optuna draws from. Choices are JSON, because Optuna takes no lists."""
    found: dict[str, BaseDistribution] = {}
    for key, domain in sweep.space.parameters.items():
        low, high, step, log = domain.low, domain.high, domain.step, domain.log
        if domain.choices is not None:
            found[key] = CategoricalDistribution([json.dumps(choice) for choice in domain.choices])
        elif sweep.is_whole(key):
            found[key] = IntDistribution(low, high, log=log, step=step or 1)
        else:
            found[key] = FloatDistribution(low, high, log=log, step=step)
    return found


def as_optuna(
    trials: Iterable[Trial], space: Space, by_key: dict[str, BaseDistribution]
) -> list[optuna.trial.FrozenTrial]:
    """Return Optuna's form of the trials that have scores; their values are to be minimized."""
    return [
        optuna.trial.create_trial(
            params={
                key: json.dumps(value) if space.parameters[key].choices is not None else value
                for key, value in trial.values.items()
            },
            distributions=by_key,
            value=space.to_minimize(trial.scores),
        )
        for trial in trials
        if trial.scores
    ]


def _drawn(sweep: Sweep) -> list[Settings]:
    """Return the combinations of a random search; the first do not depend on how many there are."""
    search = sweep.space.search
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=search.seed))
    by_key = distributions(sweep)
    return [_decoded(study.ask(by_key).params, sweep.space) for _ in range(search.trials)]


def _decoded(params: dict[str, Any], space: Space) -> Settings:
    return {
        key: json.loads(value) if space.parameters[key].choices is not None else value
        for key, value in params.items()
    }
