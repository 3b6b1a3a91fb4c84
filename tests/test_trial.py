"""A trial is the training of the stage, in one go or in parts."""

import sys

import pytest
from conftest import ADAM, TRAIN, VALIDATION, recipe

from fmnist.train.fit import fit
from tuning import trial

TO_THE_END = sys.maxsize
CHANGES = {
    "mlp": {},
    "momentum": {"optimizer": {"momentum": 0.9}},
    "adam": {"optimizer": ADAM},
    "cnn": {"augmentation": {"flip": True, "shift": 1, "erase": 4}},
}
STOPS_AFTER_TWO = {  # for nothing is better by 1
    "early_stopping": {
        "monitor": "val_accuracy",
        "min_delta": 1.0,
        "patience": 1,
        "restore_best_weights": True,
    },
    "epochs": 4,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_trial_in_parts_is_what_the_stage_trains_in_one_go(name):
    chosen = recipe("cnn" if name == "cnn" else "mlp", **CHANGES[name])
    expected = fit(chosen, 7, TRAIN, VALIDATION)
    settings = chosen.model_dump()
    whole = trial.train(settings, 7, TO_THE_END, TRAIN, VALIDATION)
    assert (whole.history, whole.scores) == (expected.history, expected.scores)
    first = trial.train(settings, 7, 1, TRAIN, VALIDATION)
    assert first.history == expected.history[:1]
    assert (first.scores, first.error) == (None, None)
    second = trial.train(settings, 7, 2, TRAIN, VALIDATION, first.state)
    assert second.history == expected.history[:2]
    third = trial.train(settings, 7, TO_THE_END, TRAIN, VALIDATION, second.state)
    assert (third.history, third.scores) == (expected.history, expected.scores)
    assert third.state is None


def test_up_to_the_last_epoch_is_to_the_end():
    chosen = recipe("mlp", epochs=2)
    found = trial.train(chosen.model_dump(), 7, 2, TRAIN, VALIDATION)
    assert found.scores["epoch"] == 2


def test_a_trial_that_early_stopping_ends_where_it_is_paused_has_its_history():
    chosen = recipe("mlp", **STOPS_AFTER_TWO)
    expected = fit(chosen, 7, TRAIN, VALIDATION)
    assert len(expected.history) == 2
    settings = chosen.model_dump()
    paused = trial.train(settings, 7, 2, TRAIN, VALIDATION)
    ended = trial.train(settings, 7, TO_THE_END, TRAIN, VALIDATION, paused.state)
    assert (ended.history, ended.scores) == (expected.history, expected.scores)


def test_a_state_that_a_power_cut_has_damaged_costs_time_and_no_result():
    settings = recipe("mlp").model_dump()
    whole = trial.train(settings, 7, TO_THE_END, TRAIN, VALIDATION)
    state = trial.train(settings, 7, 1, TRAIN, VALIDATION).state
    for damaged in (b"", state[: len(state) // 2]):
        again = trial.train(settings, 7, TO_THE_END, TRAIN, VALIDATION, damaged)
        assert (again.history, again.scores) == (whole.history, whole.scores)


def test_a_training_that_diverges_is_an_outcome():
    settings = recipe("mlp", optimizer={"learning_rate": 1e30}).model_dump()
    found = trial.train(settings, 7, TO_THE_END, TRAIN, VALIDATION)
    assert found.scores is None
    assert found.error.startswith("training diverged in epoch 1: expected a finite loss")
    assert found.seconds > 0
