"""Run a sweep: hand trials to workers, and write down what comes of each before the next."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fmnist import files
from fmnist.command import InputError
from tuning.cluster import Cluster
from tuning.outcome import Outcome
from tuning.search import Job, Search
from tuning.space import Sweep
from tuning.trials import FAILED, FINISHED, PAUSED, Table, Trial

DEATHS = 3  # of its worker, after which a trial has failed
PATIENCE = 0.5  # seconds between two looks at what runs


def run(
    sweep: Sweep,
    search: Search,
    table: Table,
    cluster: Cluster,
    states: Path,
    look: Callable[[list[int]], None],
) -> None:
    """Train until the search has nothing left, from where an earlier run of it was ended.

    Args:
        states: a folder for what a paused trial goes on from.
        look: is called at least twice a second with the numbers of the running trials.
    """
    deaths: Counter[int] = Counter()
    again: list[Job] = []  # lost with their workers

    def record(*trials: Trial) -> None:
        table.add(*trials)
        for trial in trials:
            search.record(trial)
        if stopped := search.stopped():
            record(*stopped)

    for trial in table.trials.values():
        if trial.state != PAUSED or _state(states, trial).exists():
            search.record(trial)
    while True:
        while cluster.has_room and (job := again.pop(0) if again else search.next()):
            try:
                recipe, seed = sweep.recipe(job.values)
            except InputError as error:  # which only a model-based search can come to
                record(_failed(job, str(error), table))
                continue
            before = table.trials.get(job.number)
            state = None
            if before is not None and before.state == PAUSED:
                path = _state(states, before)
                state = path.read_bytes() if path.exists() else None
            cluster.submit(job, recipe.model_dump(), seed, state)
        if not cluster.running:
            break
        look(cluster.running)
        for job, outcome in cluster.ended(PATIENCE):
            if outcome is not None:
                trial = _trial(job, outcome, table)
                if outcome.state is not None:
                    with files.replacing(_state(states, trial)) as file:
                        file.write(outcome.state)
                record(trial)
                continue
            deaths[job.number] += 1
            if deaths[job.number] < DEATHS:
                again.append(job)
            else:
                record(_failed(job, f"its worker died {DEATHS} times", table))
    look([])


def _trial(job: Job, outcome: Outcome, table: Table) -> Trial:
    before = table.trials.get(job.number)
    seconds = outcome.seconds + (before.seconds if before else 0.0)
    if outcome.error is not None:
        return _failed(job, outcome.error, table, seconds)
    last = outcome.scores or outcome.history[-1]
    return Trial(
        job.number,
        job.values,
        PAUSED if outcome.scores is None else FINISHED,
        {name: last[name] for name in ("val_accuracy", "val_loss")},
        outcome.history,
        seconds,
    )


def _failed(job: Job, error: str, table: Table, seconds: float = 0.0) -> Trial:
    line = " ".join(error.split())
    return Trial(job.number, job.values, FAILED, {}, [], seconds, line)


def _state(folder: Path, trial: Trial) -> Path:
    return folder / f"{trial.number}-{trial.epochs}.npz"
