"""Run a sweep: hand trials to workers, and write down what comes of each before the next."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from fmnist import files
from fmnist.command import InputError
from tuning.cluster import Cluster
from tuning.outcome import Outcome, Row
from tuning.search import Job, Search
from tuning.space import Sweep
from tuning.trials import FAILED, FIGURES, FINISHED, LOST, PAUSED, Table, Trial

DEATHS = 3  # of its worker, after which a trial is given up
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
        if trial.state == LOST:
            trial = trial.paused()
        if trial.state != PAUSED or _state(states, trial).exists():
            search.record(trial)
    record(*search.stopped())  # which an earlier run was ended before writing down
    while True:
        while cluster.has_room and (job := again.pop(0) if again else search.next()):
            before = table.trials.get(job.number)
            try:
                recipe, seed = sweep.recipe(job.values)
            except InputError as error:  # which only a model-based search can come to
                record(_without_scores(job, FAILED, str(error), before))
                continue
            path = _state(states, before) if before else None
            state = path.read_bytes() if path and path.exists() else None
            cluster.submit(job, recipe.model_dump(), seed, state)
        if not cluster.running:
            break
        look(cluster.running)
        for job, outcome in cluster.ended(PATIENCE):
            before = table.trials.get(job.number)
            if isinstance(outcome, Outcome):
                trial = _trial(job, outcome, before)
                if outcome.state is not None:
                    with files.replacing(_state(states, trial)) as file:
                        file.write(outcome.state)
                record(trial)
                continue
            deaths[job.number] += outcome.node_lives
            if deaths[job.number] < DEATHS:
                again.append(job)
            else:
                reason = f"{DEATHS} workers died with it: {outcome.reason}"
                record(_without_scores(job, LOST, reason, before))
    look([])


def _trial(job: Job, outcome: Outcome, before: Trial | None) -> Trial:
    if outcome.error is not None:
        return _without_scores(job, FAILED, outcome.error, before, outcome.history, outcome.seconds)
    last = outcome.scores or outcome.history[-1]
    return Trial(
        job.number,
        job.values,
        PAUSED if outcome.scores is None else FINISHED,
        {name: last[name] for name in FIGURES},
        outcome.history,
        outcome.seconds + (before.seconds if before else 0.0),
    )


def _without_scores(
    job: Job,
    state: str,
    error: str,
    before: Trial | None,
    history: Sequence[Row] = (),
    seconds: float = 0.0,
) -> Trial:
    if before:
        history, seconds = max(before.history, history, key=len), before.seconds + seconds
    error = " ".join(error.split())
    return Trial(job.number, job.values, state, {}, list(history), seconds, error)


def _state(folder: Path, trial: Trial) -> Path:
    return folder / f"{trial.number}-{trial.epochs}.npz"
