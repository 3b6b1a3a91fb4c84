"""The benchmarks of the whole job and of its growth measure what they say."""

import json
import sys

import keras
import numpy as np
import pytest
from conftest import ROOT, commit, copy_project, idx, make_small, pixels, run

from benchmarks import (
    growth,
    notebook,
    pictures,
    process,
    raw,
    results,
    scaling,
    timeline,
    whole_job,
)
from fmnist import parameters
from fmnist.command import InputError
from fmnist.preprocess import idx as idx_files
from fmnist.preprocess.split import split

SIZES = [1, 2, 4, 10]


@pytest.fixture
def small(tmp_path, mirror, monkeypatch):
    """A committed project with small raw files, which is the current folder."""
    project = make_small(copy_project(tmp_path / "small"), mirror)
    (project / "data" / "raw").mkdir()
    for path in mirror.iterdir():
        (project / raw.RAW / path.name).write_bytes(path.read_bytes())
    script = project / "benchmarks" / "notebook.py"
    shorter = script.read_text().replace("HELD_OUT = 5_000", "HELD_OUT = 13")
    script.write_text(shorter.replace("EPOCHS = 30", "EPOCHS = 2"))
    commit(project)
    monkeypatch.chdir(project)
    return project


def test_importing_a_benchmark_loads_neither_numpy_nor_tensorflow():
    code = (
        "import sys, benchmarks.growth, benchmarks.notebook, benchmarks.whole_job\n"
        "print({'numpy', 'tensorflow', 'matplotlib'} & set(sys.modules))"
    )
    assert run(ROOT, sys.executable, "-c", code).stdout == "set()\n"


def test_the_notebook_learns_from_the_images_that_preprocess_leaves(folder, monkeypatch, capsys):
    raw.RAW.mkdir(parents=True)
    for part, count, seed in (("train", 600, 1), ("t10k", 50, 2)):
        images, labels = pixels(count, seed)
        (raw.RAW / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (raw.RAW / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    monkeypatch.setattr(notebook, "HELD_OUT", 60)
    monkeypatch.setattr(notebook, "EPOCHS", 20)
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
    values = parameters.load(ROOT / "params.yaml")
    assert values["preprocess"]["split"] == "last"
    assert values["preprocess"]["validation_size"] == notebook.HELD_OUT
    assert values["recipes"]["mlp"]["epochs"] == notebook.EPOCHS


def test_what_passes_between_the_processes_of_stages_is_dvcs_own():
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
            "stages": dict.fromkeys(whole_job.STAGES, ours / 8) | {timeline.DVC: ours * 3 / 8},
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
def test_a_benchmark_without_raw_files_says_how_to_get_them(benchmark, small, monkeypatch):
    (small / raw.RAW / "t10k-labels-idx1-ubyte").unlink()
    monkeypatch.setattr(sys, "argv", ["benchmark"])
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte: no such file; `dvc repro fetch`"):
        benchmark.main()


def test_a_process_is_measured_with_the_times_of_its_lines(tmp_path):
    code = "import time; print('a'); time.sleep(0.2); print('b'); held = b'1' * 2**30; print(1)"
    found = process.run([sys.executable, "-c", code], tmp_path)
    (first, _), (second, text), _ = found.lines
    assert text == "b"
    assert second - first > 0.1
    assert found.seconds >= second
    assert found.peak > 2**30


def test_a_process_that_fails_is_told_with_its_last_lines(tmp_path):
    with pytest.raises(InputError, match=r"ended with 3:\nout of luck"):
        process.run(["sh", "-c", "echo out of luck >&2; exit 3"], tmp_path)


def test_a_repeated_file_holds_the_items_as_often_and_in_order(tmp_path, mirror):
    source = mirror / "t10k-images-idx3-ubyte"
    assert raw.repeat(source, tmp_path / "more", 3) == 60
    once = idx_files.read_images(source)
    np.testing.assert_array_equal(idx_files.read_images(tmp_path / "more"), [*once, *once, *once])


def test_stages_are_measured_on_the_images_and_widths_of_a_size(small):
    costs = growth.run_size(3, 0.5)
    assert list(costs) == ["fetch", "preprocess", "train", growth.EPOCH, "evaluate", "plot"]
    for stage, images in {"preprocess": 80, "train": 60, "evaluate": 20, "plot": 20}.items():
        assert costs[stage]["data"] * 2**20 == pytest.approx(3 * images * 28 * 28 * 4, rel=0.05)
    assert 0 < costs[growth.EPOCH]["seconds"] < costs["train"]["seconds"]


def test_the_parameters_of_a_width_are_those_of_its_matrices_and_biases(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert growth.weights(1) == 266_610
    assert growth.units(0.5) == [150, 50]


@pytest.mark.parametrize("constant", [0, 1, 100])
def test_growth_on_a_straight_line_has_the_exponent_1_whatever_its_constant(constant):
    found = scaling.fit(SIZES, [constant + 30 * size for size in SIZES])
    assert found.exponent == pytest.approx(1)
    assert (found.constant, found.each) == (pytest.approx(constant, abs=1e-9), pytest.approx(30))
    assert not found.is_faster_than_linear


def test_the_last_slope_is_that_of_the_whole_costs_of_the_two_largest():
    assert scaling.fit(SIZES, [size**1.5 for size in SIZES]).last_slope == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("cost", "is_faster"),
    [
        (lambda size: 50 + size**2, True),
        (lambda size: 5 + size**1.5, True),
        (lambda size: 5 + size * np.log(60_000 * size), False),
        (lambda size: 5 + size**0.5, False),
    ],
    ids=["square", "power of 1.5", "n log n", "root"],
)
def test_only_what_grows_faster_than_linearly_is_called_so(cost, is_faster):
    assert scaling.fit(SIZES, [cost(size) for size in SIZES]).is_faster_than_linear == is_faster


def test_costs_that_hardly_change_have_no_exponent():
    found = scaling.fit(SIZES, [5.0, 5.3, 4.9, 5.2])
    assert found.exponent is None
    assert not found.is_faster_than_linear


def test_a_stage_that_grows_faster_is_named_and_memory_is_a_multiple_of_the_data():
    costs = [
        [{"plot": {"seconds": 1.0 + size**2, "mib": 300 + 2.5 * 31 * size, "data": 31 * size}}]
        for size in SIZES
    ]
    found = scaling.describe(SIZES, costs)
    assert found["faster"] == ["plot: seconds"]
    assert found["mib"]["plot"]["multiple_of_data"] == 2.5
    assert found["mib"]["plot"]["constant"] == pytest.approx(300)


def test_the_table_and_the_picture_of_growth_name_every_stage():
    names = [*growth.STAGES, growth.EPOCH]
    costs = [
        [{name: {"seconds": size, "mib": 3 * size, "data": size} for name in names}]
        for size in SIZES
    ]
    described = scaling.describe(SIZES, costs)
    alone = results.summary([700.0])
    found = {"rounds": 1, "tensorflow_mib": alone} | dict.fromkeys(growth.AXES, described)
    table, figure = scaling.table("images", described), growth.draw(found)
    for name in names:
        assert f"\n{name}, seconds" in table
        for axes in figure.axes:
            assert name in {text.get_text() for text in axes.texts}
    assert "3.00 x data" in table


def test_growth_prints_and_writes_each_section(small, monkeypatch, capsys):
    def run_size(images, width):
        cost = {"seconds": images * width, "mib": 300.0 + images**2, "data": images}
        return dict.fromkeys(growth.STAGES, cost) | {growth.EPOCH: {"seconds": width}}

    monkeypatch.setattr(growth, "run_size", run_size)
    monkeypatch.setattr(process, "run", lambda *_: process.Measured(3.0, 700 * 2**20, []))
    monkeypatch.setattr(sys, "argv", ["growth", "--rounds", "2"])
    growth.main()
    found = json.loads((small / "docs/bench/growth.json").read_text())
    assert found["tensorflow_mib"] == {"median": 700, "min": 700, "max": 700, "n": 2}
    assert found[growth.BY_IMAGES]["faster"] == [f"{stage}: mib" for stage in growth.STAGES]
    assert (small / "docs/bench/growth.png").exists()
    printed = capsys.readouterr().out
    for section in growth.AXES:
        assert f"\n{section} " in printed


def test_names_at_the_ends_of_lines_are_apart():
    lines = {name: ([1, 2], [0, height]) for name, height in zip("abc", (5, 5, 10), strict=True)}
    figure = pictures.curves({("images", "s"): lines, ("images", "MiB"): lines}, {}, "")
    heights = sorted(text.xy[1] for text in figure.axes[0].texts)
    assert heights[0] == 5
    assert 5 < heights[1] < heights[2] == 10
