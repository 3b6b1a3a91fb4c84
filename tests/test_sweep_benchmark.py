"""The benchmark of sweeps measures trials, their overhead and their memory."""

import pytest
from programs import commit

from benchmarks import sweep
from benchmarks.sweep import Trials


def test_a_rate_leaves_out_the_first_trial_of_each_worker():
    assert sweep.rate([10, 20, 30, 40], workers=1) == pytest.approx(3600 / 10)
    assert sweep.rate([10, 11, 20, 21, 30, 31], workers=2) == pytest.approx(3600 * 4 / 20)


def test_the_overhead_is_the_time_between_two_trials():
    trials = Trials(seconds=[99, 10, 20], ends=[30, 41, 62], memory=[])
    assert sweep.overhead(trials) == pytest.approx([0.1, 0.05])


def test_growth_shows_in_the_last_quarter_of_a_sweep():
    seconds = [10.0] * 6 + [20.0] * 2
    ends = [0, 10, 10, 10, 20, 20, 40, 60]
    memory = [(number, 100.0 if number < 6 else 150.0) for number in range(8)]
    assert sweep.quarters(Trials(seconds, ends, memory)) == {
        "first quarter": {
            "trials": 2,
            "seconds of a trial": 10.0,
            "trials an hour": 360,
            "peak memory, MiB": 100,
        },
        "last quarter": {
            "trials": 2,
            "seconds of a trial": 20.0,
            "trials an hour": 180,
            "peak memory, MiB": 150,
        },
    }


@pytest.mark.slow
def test_trials_are_run_and_timed_and_their_memory_is_measured(project, monkeypatch):
    pytest.importorskip("ray", reason="needs `make install-sweep`")
    commit(project)
    monkeypatch.chdir(project)
    trials = sweep.run(1, 2, 1, images=13)
    assert min(trials.seconds) > 0
    assert 0 < trials.ends[0] < trials.ends[1]
    assert len(sweep.overhead(trials)) == 1
    assert max(mib for _, mib in trials.memory) > 300  # TensorFlow's
