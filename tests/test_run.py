"""The run of a sweep: trials that fail, are lost, or were paused before."""

from pathlib import Path

import pytest
from test_search import HALVING, SEEDS, trained
from test_space import sweep

pytest.importorskip("ray", reason="needs `make install-sweep`")

from fmnist.sweeps import search
from fmnist.sweeps.outcome import Lost, Outcome
from fmnist.sweeps.run import DEATHS, run
from fmnist.sweeps.trials import FAILED, FINISHED, LOST, STOPPED, Table

EPOCHS = 4
ALONE, WITH_ITS_NODE = Lost("killed", node_lives=True), Lost("gone", node_lives=False)


class OneWorker:
    """A cluster of one worker, for a script of accidents.

    Args:
        accidents: for each trial, the outcomes of its first jobs instead of a training's.
    """

    def __init__(self, accidents: dict[int, list[Lost | Outcome]]) -> None:
        self.accidents = accidents
        self.jobs: list[tuple[search.Job, bytes | None]] = []
        self._job: search.Job | None = None

    @property
    def has_room(self) -> bool:
        """See `fmnist.sweeps.cluster.Cluster`, here and below."""
        return self._job is None

    @property
    def running(self) -> list[int]:
        """Return the trial that runs."""
        return [] if self._job is None else [self._job.number]

    def submit(self, job, recipe, state) -> None:
        """Note the job."""
        assert recipe.epochs == EPOCHS
        self._job = job
        self.jobs.append((job, state))

    def ended(self, patience):
        """Let the job end, by accident or trained."""
        job, self._job = self._job, None
        if self.accidents.get(job.number):
            yield job, self.accidents[job.number].pop(0)
            return
        trial = trained(job, EPOCHS, job.number / 10)
        whole = trial.state == FINISHED
        state = None if whole else f"{job.number} after {trial.epochs}".encode()
        yield job, Outcome(trial.history, trial.scores if whole else None, state, None, 1.0)


def carry_out(folder: Path, accidents: dict, **changes: object) -> tuple[Table, OneWorker]:
    """Run, or resume, a sweep with successive halving of eight trials."""
    space = sweep(folder, **{"successive_halving": HALVING, "parameters": SEEDS} | changes)
    table, cluster = Table(folder / "results", space.space.parameters, "k"), OneWorker(accidents)
    run(space, search.start(space), table, cluster, folder / "states", lambda running: None)
    return table, cluster


def states(table: Table) -> list[str]:
    return [table.trials[number].state for number in sorted(table.trials)]


UNDISTURBED = [STOPPED] * 6 + [FINISHED] * 2


def test_a_paused_trial_resumes_from_its_state(tmp_path):
    table, cluster = carry_out(tmp_path, {})
    assert states(table) == UNDISTURBED
    assert [state for job, state in cluster.jobs if job.number == 7] == [
        None,
        b"7 after 1",
        b"7 after 2",
    ]


def test_a_worker_that_dies_costs_no_result(tmp_path):
    table, cluster = carry_out(tmp_path, {7: [ALONE] * (DEATHS - 1)})
    assert states(table) == UNDISTURBED
    assert [job.number for job, _ in cluster.jobs].count(7) == DEATHS + 2


def test_no_trial_is_blamed_for_nodes_that_go(tmp_path):
    table, _ = carry_out(tmp_path, {7: [WITH_ITS_NODE] * 9})
    assert states(table) == UNDISTURBED


def test_a_trial_that_is_lost_repeatedly_is_given_up_and_the_next_run_tries_it(tmp_path):
    table, _ = carry_out(tmp_path, {7: [ALONE] * DEATHS})
    assert states(table) == [STOPPED] * 5 + [FINISHED] * 2 + [LOST]
    assert table.trials[7].error == "3 workers died with it: killed"
    table, cluster = carry_out(tmp_path, {})
    assert table.trials[7].state == FINISHED
    assert {job.number for job, _ in cluster.jobs} == {7}


def test_a_trial_that_is_lost_after_a_pause_resumes_from_there_in_the_next_run(tmp_path):
    history = trained(search.Job(7, {}, 1), EPOCHS, 0.7).history
    first = Outcome(history, None, b"7 after 1", None, 1.0)
    table, _ = carry_out(tmp_path, {7: [first, *[ALONE] * DEATHS]})
    lost = table.trials[7]
    assert (lost.state, lost.epochs, lost.seconds) == (LOST, 1, 1.0)
    table, cluster = carry_out(tmp_path, {})
    assert table.trials[7].state == FINISHED
    assert cluster.jobs[0] == (search.Job(7, {"seed": 7}, 2), b"7 after 1")


def test_a_trial_that_diverges_later_keeps_its_history_and_no_stopped_trial_resumes(tmp_path):
    history = trained(search.Job(7, {}, 1), EPOCHS, 0.7).history
    first = Outcome(history, None, b"", None, 1.0)
    table, _ = carry_out(tmp_path, {7: [first, Outcome([], None, None, "diverged\n!", 2.0)]})
    failed = table.trials[7]
    assert (failed.state, failed.history, failed.error) == (FAILED, history, "diverged !")
    assert failed.seconds == 3.0
    assert states(table) == [STOPPED] * 5 + [FINISHED] * 2 + [FAILED]


def test_decisions_that_a_crash_kept_from_the_table_are_written_by_the_next_run(tmp_path):
    table, _ = carry_out(tmp_path, {})
    table.put_in_order()
    text = table.path.read_text()
    table.path.write_text(text.replace("stopped", "paused"))
    table, cluster = carry_out(tmp_path, {})
    assert cluster.jobs == []
    table.put_in_order()
    assert table.path.read_text() == text


def test_a_paused_trial_without_its_state_starts_again(tmp_path):
    table, _ = carry_out(tmp_path, {})
    text = table.path.read_text()
    table.path.write_text(text.replace("stopped", "paused").replace("finished", "paused"))
    for path in (tmp_path / "states").iterdir():
        path.unlink()
    table, cluster = carry_out(tmp_path, {})
    assert states(table) == UNDISTURBED
    assert [job.number for job, state in cluster.jobs if state is None] == list(range(8))


def test_an_invalid_combination_that_a_model_draws_is_a_failed_trial(tmp_path):
    space = sweep(
        tmp_path,
        recipe="cnn",
        search={"name": "tpe", "trials": 6, "seed": 0},
        parameters={"network.filters": {"choices": [[8], [8, 8]]}},
        fixed={"epochs": EPOCHS, "network.residual_blocks": [0]},
    )
    table = Table(tmp_path / "results", space.space.parameters, "k")
    cluster = OneWorker({})
    run(space, search.start(space), table, cluster, tmp_path / "states", lambda running: None)
    assert set(states(table)) == {FAILED, FINISHED}
    assert len(table.trials) == 6
    failed = next(trial for trial in table.trials.values() if trial.state == FAILED)
    assert "as many residual_blocks as filters" in failed.error


def test_a_finished_sweep_trains_nothing(tmp_path):
    carry_out(tmp_path, {})
    _, cluster = carry_out(tmp_path, {})
    assert cluster.jobs == []
