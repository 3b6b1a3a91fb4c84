"""Run a sweep: hand trials to workers, and record each result before the next job."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fmnist.stage import files
from fmnist.stage.command import InputError
from fmnist.sweeps.cluster import Cluster
from fmnist.sweeps.outcome import Lost, Outcome
from fmnist.sweeps.search import Job, Search
from fmnist.sweeps.sweep import Sweep
from fmnist.sweeps.trials import FAILED, FINISHED, LOST, PAUSED, SCORES, Table, Trial

DEATHS = 3  # of its worker, after which a trial is given up
PATIENCE = 0.5  # seconds between two displays


def run(
    sweep: Sweep,
    search: Search,
    table: Table,
    cluster: Cluster,
    states: Path,
    show: Callable[[list[int]], None],
) -> None:
    """Train until the search has nothing left; resume what an earlier run left unfinished.

    Args:
        states: a folder for what paused trials resume from.
        show: called at least twice a second with the numbers of the running trials.
    """
    deaths: Counter[int] = Counter()
    again: list[Job] = []  # whose worker died

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
    record(*search.stopped())  # an earlier run may have ended before it wrote them
    while True:
        while cluster.has_room and (job := again.pop(0) if again else search.next()):
            before = table.trials.get(job.number)
            try:
                recipe = sweep.recipe(job.values)
            except InputError as error:  # only a model-based search draws such values
                record(_trial(job, Outcome(error=str(error)), before))
                continue
            path = _state(states, before) if before else None
            cluster.submit(job, recipe, path.read_bytes() if path and path.exists() else None)
        if not cluster.running:
            break
        show(cluster.running)
        for job, outcome in cluster.ended(PATIENCE):
            before = table.trials.get(job.number)
            if isinstance(outcome, Lost):
                deaths[job.number] += outcome.node_lives
                if deaths[job.number] < DEATHS:
                    again.append(job)
                else:
                    error = f"{DEATHS} workers died with it: {outcome.reason}"
                    record(_trial(job, Outcome(error=error), before, LOST))
                continue
            trial = _trial(job, outcome, before)
            if outcome.state is not None:
                with files.replacing(_state(states, trial)) as file:
                    file.write(outcome.state)
            record(trial)
    show([])


def _trial(job: Job, outcome: Outcome, before: Trial | None, failed: str = FAILED) -> Trial:
    """Return a trial after a job; ``failed`` is its state if the outcome is an error."""
    seconds = outcome.seconds + (before.seconds if before else 0.0)
    if outcome.error is not None:
        history = max(before.history if before else [], outcome.history, key=len)
        error = " ".join(outcome.error.split())
        return Trial(job.number, job.values, failed, {}, history, seconds, error)
    state = PAUSED if outcome.scores is None else FINISHED
    last = outcome.scores or outcome.history[-1]
    scores = {name: last[name] for name in SCORES}
    return Trial(job.number, job.values, state, scores, outcome.history, seconds)


def _state(folder: Path, trial: Trial) -> Path:
    return folder / f"{trial.number}-{trial.epochs}"
