"""The benchmark of sweeps measures what it says."""

import pytest
from conftest import commit

from benchmarks import sweep


def test_a_rate_leaves_out_the_first_trial_of_each_worker():
    assert sweep.rate([10, 20, 30, 40], workers=1) == pytest.approx(3600 / 10)
    assert sweep.rate([10, 11, 20, 21, 30, 31], workers=2) == pytest.approx(3600 * 4 / 20)


def test_what_handing_out_costs_is_what_lies_between_two_trials():
    assert sweep.overhead([99, 10, 20], [30, 41, 62]) == pytest.approx([0.1, 0.05])


def test_growth_shows_in_the_last_quarter_of_a_sweep():
    seconds = [10.0] * 6 + [20.0] * 2
    ends = [0, 10, 10, 10, 20, 20, 40, 60]
    sizes = [(number, 100.0 if number < 6 else 150.0) for number in range(8)]
    assert sweep.quarters(seconds, ends, sizes) == {
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
def test_trials_are_run_and_timed_and_their_memory_is_looked_at(project, monkeypatch):
    pytest.importorskip("ray", reason="needs `make install-sweep`")
    commit(project)
    monkeypatch.chdir(project)
    sizes = []
    seconds, ends = sweep.run(1, 2, 1, images=13, sizes=sizes)
    assert len(seconds) == len(ends) == 2
    assert sweep.overhead(seconds, ends)[0] > 0
    assert max(size for _, size in sizes) > 300  # TensorFlow's, in MiB
