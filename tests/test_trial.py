"""A trial is the training of the stage, in one go or in parts."""

import sys

import pytest
from tiny_data import TRAIN, VALIDATION, recipe

from fmnist.sweeps import trial
from fmnist.sweeps.outcome import Outcome
from fmnist.sweeps.sweep import SeededRecipe
from fmnist.train.training import Training

TO_THE_END = sys.maxsize
MLP = {
    "network": {"units": [30], "dropout": 0.2},
    "optimizer": {"momentum": 0.9},
    "schedule": {"name": "cosine_decay", "warmup_epochs": 0.5, "alpha": 0.0},
}


def train(name: str, changes: dict, until: int, state: bytes | None = None) -> Outcome:
    seeded = SeededRecipe(**recipe(name, **changes).model_dump(), seed=7)
    return trial.train(seeded, until, TRAIN, VALIDATION, state)


def trained_by_the_stage(name: str, changes: dict) -> tuple[list, dict]:
    """Return history and scores."""
    training = Training(recipe(name, **changes), 7, TRAIN, VALIDATION)
    return list(training.epochs()), training.scores()


@pytest.fixture(scope="module")
def expected() -> tuple[list, dict]:
    """History and scores of the MLP, trained in one go."""
    return trained_by_the_stage("mlp", MLP)


@pytest.fixture(scope="module")
def paused() -> Outcome:
    """The MLP after one of three epochs; from a file that a power cut has emptied, so from none."""
    return train("mlp", MLP, 1, b"")


def test_a_trial_in_parts_is_what_the_stage_trains_in_one_go(expected, paused):
    history, scores = expected
    assert paused.history == history[:1]
    assert (paused.scores, paused.error) == (None, None)
    second = train("mlp", MLP, 2, paused.state)
    assert second.history == history[:2]
    third = train("mlp", MLP, 3, second.state)  # up to the last epoch is to the end
    assert (third.history, third.scores) == (history, scores)
    assert third.scores["epoch"] == 3
    assert third.state is None


def test_a_state_that_a_power_cut_has_damaged_costs_time_and_no_result(expected, paused):
    again = train("mlp", MLP, TO_THE_END, paused.state[: len(paused.state) // 2])
    assert (again.history, again.scores) == expected


def test_a_training_that_diverges_is_an_outcome():
    found = train("mlp", MLP | {"optimizer": {"learning_rate": 1e30}}, TO_THE_END)
    assert found.scores is None
    assert found.error.startswith("training diverged in epoch 1: expected a finite loss")
    assert found.seconds > 0
