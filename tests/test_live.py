"""What a sweep shows while it runs."""

import sys

import pytest
from test_space import sweep
from test_trials import TRIALS, table

pytest.importorskip("optuna", reason="needs `make install-sweep`")

from fmnist.sweeps.live import Live


def live(folder) -> tuple:
    trials = table(folder / "results")
    return Live(sweep(folder).space, trials, count=5, workers=2), trials


def test_a_log_has_a_line_for_each_trial_that_pauses_or_ends(tmp_path, capsys):
    show, trials = live(tmp_path)
    show([0, 1])
    assert capsys.readouterr().out == ""
    trials.add(TRIALS[0])
    show([1, 2])
    show([1, 2])
    assert capsys.readouterr().out == (
        "trial 0    finished val_accuracy 0.7500  val_loss 0.5000  2 epochs  2 s"
        "  network.units [30, 10]  1 of 5 ended, about 3 s left\n"
    )
    trials.add(*TRIALS[1:])
    show([])
    paused, failed = capsys.readouterr().out.splitlines()
    assert paused.startswith("trial 1    paused   val_accuracy 0.7500")
    assert failed.startswith('trial 2    failed   diverged: found "nan", inf')


def test_trials_of_earlier_runs_are_not_printed_again(tmp_path, capsys):
    table(tmp_path / "results").add(*TRIALS)
    show, _ = live(tmp_path)
    show([])
    assert capsys.readouterr().out == ""


def test_on_a_terminal_the_table_replaces_itself(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show, trials = live(tmp_path)
    show([0, 1])
    assert capsys.readouterr().out == "running: 0, 1  0 of 5 ended\n"
    trials.add(TRIALS[0])
    show([1])
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("\x1b[1F\x1b[Jtrial 0 ")
    assert last == "running: 1  1 of 5 ended, about 3 s left"


def test_on_a_terminal_lines_are_cut_to_its_width(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    show, trials = live(tmp_path)
    trials.add(*TRIALS)
    show([0, 1])
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "trial 0    finished val_accuracy 0.7500"
    assert second.startswith("trial 1    paused")
    assert last == "running: 0, 1  2 of 5 ended, 1 without "
