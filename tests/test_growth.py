"""The benchmark of growth measures stages by size, and names what grows too fast."""

import json
import sys

import numpy as np
import pytest
from programs import call
from projects import ROOT

from benchmarks import charts, growth, process, raw_files, results, scaling
from fmnist.preprocess import idx
from fmnist.stage.command import InputError

SIZES = [1, 2, 4, 10]


def test_a_process_is_measured_with_the_times_of_its_lines_and_without_this_ones_memory(tmp_path):
    code = "import time; print('a'); time.sleep(0.5); print('b'); held = b'1' * 2**26; print(1)"
    found = process.run([sys.executable, "-c", code], tmp_path)
    (first, _), (second, text), _ = found.lines
    assert text == "b"
    assert second - first > 0.1
    assert found.seconds >= second
    assert 0 < found.user_seconds < found.seconds - 0.5
    assert "tensorflow" in sys.modules
    assert 2**26 < found.peak < 2**27


def test_a_process_that_fails_is_an_error_with_its_last_lines(tmp_path):
    with pytest.raises(InputError, match=r"exit code 3:\nout of luck"):
        process.run(["sh", "-c", "echo out of luck >&2; exit 3"], tmp_path)


def test_repeated_raw_files_hold_their_items_as_often_and_in_order(measured_project, tmp_path):
    raw_files.repeat(tmp_path, 3)
    once = raw_files.read()
    images = idx.read_images(tmp_path / "t10k-images-idx3-ubyte")
    np.testing.assert_array_equal(images, np.tile(once["t10k-images-idx3-ubyte"], (3, 1, 1)))
    labels = idx.read_labels(tmp_path / "t10k-labels-idx1-ubyte", images)
    np.testing.assert_array_equal(labels, np.tile(once["t10k-labels-idx1-ubyte"], 3))


def test_stages_are_measured_on_the_images_and_widths_of_a_size(measured_project, monkeypatch):
    def run_here(command, folder, environment):
        if command[-1] in ("stages.evaluate", "stages.plot"):  # their data is there before them
            return process.Measured(0, 10.0, 5.0, 2**20, [])
        result = call(folder, command[-1])
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        timed = [(10.0 * number / len(lines), line) for number, line in enumerate(lines)]
        return process.Measured(0, 10.0, 5.0, 2**20, timed)

    monkeypatch.setattr(process, "run", run_here)
    usage = growth.run_size(3, 0.5)
    assert list(usage) == ["fetch", "preprocess", "train", growth.ONE_EPOCH, "evaluate", "plot"]
    for stage, images in {"preprocess": 80, "train": 60, "evaluate": 20, "plot": 20}.items():
        assert usage[stage]["data"] * 2**20 == pytest.approx(3 * images * 28 * 28 * 4, rel=0.05)
    assert 0 < usage[growth.ONE_EPOCH]["seconds"] < usage["train"]["seconds"]
    assert 0 < usage["fetch"]["user_seconds"] < usage["fetch"]["seconds"]


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


def test_the_last_slope_is_between_the_whole_values_of_the_two_largest_sizes():
    assert scaling.fit(SIZES, [size**1.5 for size in SIZES]).last_slope == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("value", "is_faster"),
    [
        (lambda size: 50 + size**2, True),
        (lambda size: 5 + size**1.5, True),
        (lambda size: 5 + size * np.log(60_000 * size), False),
        (lambda size: 5 + size**0.5, False),
    ],
    ids=["square", "power of 1.5", "n log n", "root"],
)
def test_only_growth_faster_than_linear_is_called_so(value, is_faster):
    assert scaling.fit(SIZES, [value(size) for size in SIZES]).is_faster_than_linear == is_faster


def test_values_that_hardly_change_have_no_exponent():
    found = scaling.fit(SIZES, [5.0, 5.3, 4.9, 5.2])
    assert found.exponent is None
    assert not found.is_faster_than_linear


def test_a_stage_that_grows_faster_is_named_and_memory_is_a_multiple_of_the_data():
    usages = [
        [{"plot": {"seconds": 1.0 + size**2, "mib": 300 + 2.5 * 31 * size, "data": 31 * size}}]
        for size in SIZES
    ]
    found = scaling.describe(SIZES, usages)
    assert found["faster"] == ["plot: seconds"]
    assert found["mib"]["plot"]["multiple_of_data"] == 2.5
    assert found["mib"]["plot"]["constant"] == pytest.approx(300)


def test_the_table_and_the_chart_of_growth_name_every_stage():
    names = [*growth.STAGES, growth.ONE_EPOCH]
    usages = [
        [{name: {"seconds": size, "mib": 3 * size, "data": size} for name in names}]
        for size in SIZES
    ]
    described = scaling.describe(SIZES, usages)
    alone = results.summary([700.0])
    found = {"rounds": 1, "tensorflow_mib": alone} | dict.fromkeys(growth.AXES, described)
    table, figure = scaling.table("images", described), growth.draw(found)
    for name in names:
        assert f"\n{name}, seconds" in table
        for axes in figure.axes:
            assert name in {text.get_text() for text in axes.texts}
    assert "3.00 x data" in table


def test_growth_prints_and_writes_each_section(measured_project, monkeypatch, capsys):
    def run_size(images, width):
        usage = {"seconds": images * width, "mib": 300.0 + images**2, "data": images}
        return dict.fromkeys(growth.STAGES, usage) | {growth.ONE_EPOCH: {"seconds": width}}

    monkeypatch.setattr(growth, "run_size", run_size)
    monkeypatch.setattr(process, "run", lambda *_: process.Measured(0, 3.0, 2.0, 700 * 2**20, []))
    monkeypatch.setattr(sys, "argv", ["growth", "--rounds", "2"])
    growth.main()
    found = json.loads((measured_project / "docs/bench/growth.json").read_text())
    assert found["tensorflow_mib"] == {"median": 700, "min": 700, "max": 700, "n": 2}
    assert found[growth.BY_IMAGES]["faster"] == [f"{stage}: mib" for stage in growth.STAGES]
    assert (measured_project / "docs/bench/growth.png").exists()
    printed = capsys.readouterr().out
    for section in growth.AXES:
        assert f"\n{section} " in printed


def test_names_at_the_ends_of_lines_do_not_overlap():
    lines = {name: ([1, 2], [0, height]) for name, height in zip("abc", (5, 5, 10), strict=True)}
    figure = charts.curves({("images", "s"): lines, ("images", "MiB"): lines}, {}, "")
    heights = sorted(text.xy[1] for text in figure.axes[0].texts)
    assert heights[0] == 5
    assert 5 < heights[1] < heights[2] == 10
