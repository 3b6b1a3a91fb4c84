"""The benchmark of the whole job measures all its parts, and the notebook does the same work."""

import json
import sys

import keras
import numpy as np
import pytest
from programs import commit, run
from projects import REAL
from tiny_data import pixels

from benchmarks import growth, notebook, raw_files, timeline, whole_job
from fmnist.preprocess import idx
from fmnist.preprocess.split import split
from fmnist.stage.command import InputError


@pytest.fixture
def small(measured_project):
    """The measured project, with a notebook that fits its small data."""
    script = measured_project / "benchmarks" / "notebook.py"
    shorter = script.read_text().replace("HELD_OUT = 5_000", "HELD_OUT = 13")
    script.write_text(shorter.replace("EPOCHS = 30", "EPOCHS = 2"))
    commit(measured_project)
    return measured_project


def test_the_notebook_learns_from_the_images_that_preprocess_leaves(folder, monkeypatch, capsys):
    raw_files.RAW.mkdir(parents=True)
    for part, count, seed in (("train", 600, 1), ("t10k", 50, 2)):
        images, labels = pixels(count, seed)
        (raw_files.RAW / f"{part}-images-idx3-ubyte").write_bytes(idx.encode(images))
        (raw_files.RAW / f"{part}-labels-idx1-ubyte").write_bytes(idx.encode(labels))
    monkeypatch.setattr(notebook, "HELD_OUT", 60)
    monkeypatch.setattr(notebook, "EPOCHS", 5)
    seen, fit = {}, keras.Sequential.fit

    def spy(model, x, y, **settings):
        seen.update(labels=[y, settings["validation_data"][1]], largest=x.max())
        return fit(model, x, y, **settings)

    monkeypatch.setattr(keras.Sequential, "fit", spy)
    notebook.main()

    _, labels = pixels(600, 1)
    for found, chosen in zip(seen["labels"], split(labels, "last", 60, 0), strict=True):
        np.testing.assert_array_equal(found, labels[chosen])
    assert seen["largest"] <= 1
    printed = capsys.readouterr().out
    headings = [line for line in printed.splitlines() if line.startswith("# ")]
    assert headings == ["# read", "# train", "# evaluate and save", "# draw"]
    assert float(printed.partition("test accuracy ")[2].split()[0]) > 0.8
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        *("model.keras", "accuracy.png", "predictions.png")
    }


def test_the_notebook_has_the_constants_of_params_yaml():
    assert REAL["preprocess"]["split"] == "last"
    assert REAL["preprocess"]["validation_size"] == notebook.HELD_OUT
    assert REAL["recipes"]["mlp"]["epochs"] == notebook.EPOCHS


def test_the_time_between_the_processes_of_stages_is_dvcs_own():
    lines = [
        (1.0, "Running stage 'fetch':"),
        (1.1, "> python -m stages.fetch"),
        (1.5, timeline.ENDED),
        (1.7, "Generating lock file 'dvc.lock'"),
        (2.0, "Stage 'preprocess' didn't change, skipping"),
        (2.5, "Running stage 'train':"),
        (3.0, "Running stage of the network"),
        (9.5, timeline.ENDED),
    ]
    found = timeline.stage_seconds(lines, total=10.0)
    assert found == pytest.approx({"fetch": 0.5, "train": 7.0, timeline.DVC: 2.5})


def test_a_cell_lasts_until_the_next_heading():
    lines = [(2.0, "# read"), (2.5, "# train"), (3.0, "32/1719 - loss: 0.3"), (8.0, "# draw")]
    found = timeline.cell_seconds(lines, total=9.0)
    assert found == {"start and import": 2.0, "read": 0.5, "train": 5.5, "draw": 1.0}


def test_ratios_and_shares_are_taken_within_each_round():
    rounds = [
        {
            "seconds": {whole_job.OURS: ours, whole_job.OTHER: other},
            "stages": dict.fromkeys(whole_job.STAGES, ours / 8) | {timeline.DVC: ours / 4},
            "cells": {"train": other},
            "test_accuracy": {},
        }
        for ours, other in ((8, 16), (16, 48), (8, 80))
    ]
    found = whole_job.summarize(rounds)
    assert found["notebook / dvc repro"] == {"median": 3, "min": 2, "max": 10, "n": 3}
    assert found["shares"]["plot"]["median"] == 1 / 8
    assert found["(fetch + preprocess + plot) / train"]["max"] == 3


@pytest.mark.slow
def test_the_whole_job_is_measured_from_raw_files_to_pictures(small):
    result = run(small, sys.executable, "-m", "benchmarks.whole_job", "--rounds", "1")
    assert result.returncode == 0, result.stderr
    found = json.loads((small / "docs/bench/whole_job.json").read_text())
    seconds = found["seconds"]
    assert {*whole_job.STARTS, whole_job.OURS, whole_job.AGAIN, whole_job.OTHER} == set(seconds)
    for whole, parts in ((whole_job.OURS, "stages"), (whole_job.OTHER, "cells")):
        total = sum(of["median"] for of in found[parts].values())
        assert total == pytest.approx(seconds[whole]["median"], abs=0.01)
    assert found["stages"].keys() == {*whole_job.STAGES, timeline.DVC}
    assert "notebook / dvc repro" in result.stdout
    assert (small / "docs/bench/whole_job.png").exists()
    assert run(small, "git", "status", "--porcelain").stdout == "?? docs/\n"


@pytest.mark.parametrize("benchmark", [whole_job, growth])
def test_a_benchmark_without_raw_files_fails_with_how_to_get_them(
    benchmark, measured_project, monkeypatch
):
    (measured_project / raw_files.RAW / "t10k-labels-idx1-ubyte").unlink()
    monkeypatch.setattr(sys, "argv", ["benchmark"])
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte: no such file; `dvc repro fetch`"):
        benchmark.main()
