"""The table of trials: crashes, and files that it refuses."""

from dataclasses import replace

import pytest

from fmnist.stage.command import InputError
from fmnist.sweeps.trials import FAILED, FINISHED, LOST, PAUSED, Table, Trial

ROW = {"accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.75, "val_loss": 0.5}
HISTORY = [{"epoch": epoch, **ROW} for epoch in (1, 2)]
SCORES = {"val_accuracy": 0.75, "val_loss": 0.5}
TRIALS = [
    Trial(0, {"network.units": [30, 10]}, FINISHED, SCORES, HISTORY, 1.5),
    Trial(1, {"network.units": []}, PAUSED, SCORES, HISTORY[:1], 0.25),
    Trial(2, {"network.units": [1]}, FAILED, {}, [], 0.5, 'diverged: found "nan", inf'),
]


def table(folder, key: str = "k") -> Table:
    return Table(folder, ["network.units"], key)


def test_trials_are_read_as_they_were_added(tmp_path):
    assert table(tmp_path).trials == {}
    table(tmp_path).add(*TRIALS)
    assert list(table(tmp_path).trials.values()) == TRIALS


def test_seconds_are_the_same_before_and_after_the_files_are_read_again(tmp_path):
    first = table(tmp_path)
    first.add(replace(TRIALS[0], seconds=1.23456))
    assert first.trials == table(tmp_path).trials
    assert first.trials[0].seconds == 1.23


def test_the_last_line_of_a_trial_counts(tmp_path):
    first = table(tmp_path)
    first.add(*TRIALS)
    later = replace(TRIALS[1], state=FINISHED, history=HISTORY)
    first.add(later)
    assert len(first.path.read_text().splitlines()) == 5
    assert table(tmp_path).trials == {0: TRIALS[0], 1: later, 2: TRIALS[2]}
    assert len(first.path.read_text().splitlines()) == 4  # read, so put in order


@pytest.mark.parametrize("name", ["trials.csv", "history.csv"])
@pytest.mark.parametrize("cut", [1, 5])
def test_a_line_that_a_crash_has_cut_does_not_count(tmp_path, name, cut):
    table(tmp_path).add(*TRIALS[:2])
    path = tmp_path / name
    path.write_text(path.read_text()[:-cut])
    assert table(tmp_path).trials == {0: TRIALS[0]}
    table(tmp_path).add(TRIALS[1])
    assert list(table(tmp_path).trials.values()) == TRIALS[:2]


def test_files_are_the_same_in_whatever_order_trials_end(tmp_path):
    contents = []
    for name, order in (("one", TRIALS), ("other", TRIALS[::-1])):
        for trial in order:
            table(tmp_path / name).add(trial)
        table(tmp_path / name)
        contents.append({path.name: path.read_text() for path in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]


def test_a_parameter_can_be_called_epochs(tmp_path):
    trial = replace(TRIALS[2], values={"epochs": 7})
    Table(tmp_path, ["epochs"], "k").add(trial)
    assert Table(tmp_path, ["epochs"], "k").trials == {2: trial}


def test_a_trial_that_was_lost_is_as_it_was_when_it_was_paused():
    lost = replace(TRIALS[1], state=LOST, scores={}, error="3 workers died with it")
    assert lost.paused() == TRIALS[1]


@pytest.mark.parametrize("name", ["trials.csv", "history.csv"])
def test_a_damaged_cell_is_refused(tmp_path, name):
    table(tmp_path).add(*TRIALS)
    path = tmp_path / name
    path.write_text(path.read_text().replace("0.75", "good"))
    with pytest.raises(InputError, match=r"trials.csv, history.csv: expected lines .*'good'"):
        table(tmp_path)


def test_trials_of_another_key_are_refused(tmp_path):
    table(tmp_path).add(*TRIALS)
    with pytest.raises(InputError, match=r"trials.csv: expected trials .*\(key z\), found others"):
        table(tmp_path, "z")
    with pytest.raises(InputError, match="trials.csv: expected the columns .*batch_size"):
        Table(tmp_path, ["batch_size"], "k")
