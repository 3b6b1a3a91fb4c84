"""The report of a sweep and its pictures."""

import math
from dataclasses import replace

import numpy as np
import pytest
from test_search import HALVING, carry_out
from test_space import RANDOM, sweep

pytest.importorskip("optuna", reason="needs `make install-sweep`")

from fmnist.plot import canvas
from fmnist.sweeps import ranking, report, search, sweep_plots
from fmnist.sweeps.trials import FAILED, LOST, Table

PARAMETERS = {
    "optimizer.learning_rate": {"low": 1e-3, "high": 0.1, "log": True},
    "network.dropout": {"low": 0.0, "high": 0.5},
    "network.units": {"choices": [[30], [20, 10]]},
    "batch_size": {"low": 16, "high": 64},
}
EPOCHS = 4


def by_the_rate(job: search.Job) -> float:
    """Return an accuracy that depends on the learning rate, and very little on dropout."""
    power = math.log10(job.values["optimizer.learning_rate"])  # -3 to -1
    return 0.9 - 0.1 * (power + 2) ** 2 - 1e-4 * job.values["network.dropout"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Return a sweep with successive halving of 40 trials, and its table."""
    folder = tmp_path_factory.mktemp("sweep")
    swept = sweep(
        folder,
        search=RANDOM | {"trials": 40},
        successive_halving=HALVING,
        parameters=PARAMETERS,
    )
    table = Table(folder / "space", PARAMETERS, "k")
    table.add(*carry_out(search.start(swept), EPOCHS, by_the_rate).values())
    return swept, table


def test_the_parameter_that_decides_the_objective_is_found(swept):
    compared = ranking.compared(swept[1].trials.values(), swept[0].space)
    assert len(compared) == 40
    shares = report.importance(swept[0], compared)
    assert next(iter(shares)) == "optimizer.learning_rate"
    assert shares["optimizer.learning_rate"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)


def test_importance_is_unknown_for_few_or_equal_trials(swept):
    compared = ranking.compared(swept[1].trials.values(), swept[0].space)
    assert report.importance(swept[0], compared[:3]) == {}
    alike = [replace(trial, scores=compared[0].scores) for trial in compared]
    assert report.importance(swept[0], alike) == {}


def test_the_report_has_the_best_trials_their_error_and_what_failed(swept):
    space, table = swept
    table = Table(table.path.parent, PARAMETERS, "k")
    table.trials |= {
        40: replace(table.trials[0], number=40, state=FAILED, scores={}, error="diverged"),
        41: replace(table.trials[0], number=41, state=LOST, scores={}, error="out of memory"),
    }
    report.write(space, table, 5000)
    text = (table.path.parent / "report.md").read_text()
    best = ranking.best(table.trials.values(), space.space)
    shown = [line.split(" | ")[0] for line in text.splitlines() if line[:3].strip("| ").isdigit()]
    assert shown == [f"| {trial.number}" for trial in best[:10]]
    accuracy = best[0].scores["val_accuracy"]
    error = math.sqrt(accuracy * (1 - accuracy) / 5000)
    assert (
        f"accuracy of {accuracy:.4f} on so many images has a standard error of {error:.4f}" in text
    )
    assert "10 trials were trained to the end, 30 stopped early, 1 failed, 1 were lost" in text
    assert "Importance and parallel coordinates compare all trials after epoch 1." in text
    assert "\n- trial 40: diverged\n- trial 41: out of memory\n" in text
    for picture in ("parameters", "parallel_coordinates", "cost", "importance"):
        assert f"({picture}.png)" in text
        assert (table.path.parent / f"{picture}.png").stat().st_size > 5000


def test_each_parameter_has_a_panel_and_no_panel_is_empty(swept):
    canvas.apply_style()
    trials = list(swept[1].trials.values())
    figure = sweep_plots.parameters(trials, swept[0].space)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_xlabel() for axes in shown] == list(PARAMETERS)
    for axes in shown:
        assert sum(len(line.get_xdata()) for line in axes.lines) == len(trials)


def test_one_diverged_trial_hides_no_other(swept):
    trials = list(swept[1].trials.values())
    lowest = min(trial.scores["val_accuracy"] for trial in trials)
    diverged = replace(trials[0], scores=trials[0].scores | {"val_accuracy": 0.1})
    figure = sweep_plots.parameters([*trials[1:], diverged], swept[0].space)
    for axes in figure.axes[: len(PARAMETERS)]:
        below = [line.get_ydata() for line in axes.lines if line.get_marker() == "v"]
        (height,) = np.concatenate(below)
        assert 0.1 < height < lowest
    figure = sweep_plots.parallel_coordinates([*trials[1:], diverged], swept[0].space)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert f"{height:.4f} or less" in texts
