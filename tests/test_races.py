"""Races: all contestants do the same work, and the report is what was measured."""

import dataclasses
import io
import json
import runpy
import sys
from pathlib import Path

import pytest
from projects import RECIPES, ROOT
from tiny_data import tiny

from benchmarks import contestant_process, convolutions, epoch, results, rounds
from benchmarks.contestant_process import Contestant
from benchmarks.contestants import peak
from benchmarks.contestants.contestant import Task
from benchmarks.rounds import Record


@pytest.fixture
def task(tmp_path):
    """Return a task on tiny data that a network of Dense layers learns in four epochs."""
    for split, count, seed in (("train", 1200, 0), ("validation", 300, 1)):
        tiny(count, seed).save(tmp_path / f"{split}.npz")
    recipe = RECIPES["mlp"] | {"epochs": 4}
    recipe["optimizer"] = recipe["optimizer"] | {"learning_rate": 0.05}
    return Task(recipe, str(tmp_path), images=1190, seed=3)


def test_contestants_of_this_environment_learn_the_same(task, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # every turn is its own
    for name in (epoch.OURS, epoch.FIT, "NumPy by hand", "scikit-learn", epoch.AVX2):
        contestant = epoch.CONTESTANTS[name]
        options = [*contestant.arguments, json.dumps(dataclasses.asdict(task))]
        monkeypatch.setattr(sys, "argv", [name, *options])
        runpy.run_module(f"benchmarks.contestants.{contestant.module}", run_name="__main__")
        report = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert len(report["seconds"]) == 3, name
        assert report.get("val_accuracy", 1) > 0.95, name
        assert ("val_accuracy" in report) == (name != epoch.AVX2), name


def reported_by(contestant, task):
    """Run a contestant in its own process; return its report."""
    if contestant.peer and not (contestant_process.PEERS / contestant.peer).exists():
        pytest.skip(f"{contestant.peer} is not installed; `make peers` does it")
    # One thread: several of PyTorch's wait for each other, which takes minutes on a busy machine.
    return contestant.run(dataclasses.replace(task, recipe=task.recipe | {"threads": 1}))


@pytest.mark.slow
@pytest.mark.parametrize("name", epoch.CONTESTANTS)
def test_every_contestant_of_the_default_recipe_learns(task, name):
    report = reported_by(epoch.CONTESTANTS[name], task)
    assert len(report["seconds"]) == 3
    assert report.get("val_accuracy", 1) > 0.95
    assert report["packages"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*convolutions.CONTESTANTS, "augmentation"])
def test_every_contestant_of_the_convolutional_recipes_learns(task, name):
    contestant = convolutions.CONTESTANTS.get(name, convolutions.AUGMENTATION)
    # Small batches: normalization's running statistics need hundreds of steps to settle.
    recipe = RECIPES["resnet"] | {"epochs": 6, "batch_size": 16}
    recipe |= {"augmentation": RECIPES["cnn"]["augmentation"]}
    recipe["network"] = recipe["network"] | {"filters": [8, 16], "residual_blocks": [1, 1]}
    report = reported_by(contestant, dataclasses.replace(task, recipe=recipe))
    assert len(report["seconds"]) == 5
    assert report.get("val_accuracy", 1) > 0.95


def test_a_peer_that_is_not_installed_is_left_out_with_a_message(
    task, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(contestant_process, "PEERS", tmp_path)
    contestants = {name: epoch.CONTESTANTS[name] for name in ("JAX, jitted scan", epoch.PEAK)}
    short = dataclasses.replace(task, recipe=task.recipe | {"epochs": 2})
    assert list(rounds.race(contestants, short, rounds=1)) == [epoch.PEAK]
    printed = capsys.readouterr().out
    assert "left out: JAX, jitted scan: jax is not installed; `make peers` does it" in printed


def test_a_contestant_of_this_environment_that_fails_ends_the_race(task):
    broken = dataclasses.replace(task, data="/nowhere")
    with pytest.raises(rounds.InputError, match="peak failed: FileNotFoundError.*nowhere"):
        rounds.race({epoch.PEAK: epoch.CONTESTANTS[epoch.PEAK]}, broken, rounds=1)


def test_a_contestant_has_no_variable_that_decides_numbers_except_its_own(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=SSE4_2")
    variables = Contestant("peak", environment={"OMP_NUM_THREADS": "1"}).variables()
    assert variables["OMP_NUM_THREADS"] == "1"
    assert not {"OPENBLAS_NUM_THREADS", "XLA_FLAGS"} & variables.keys()


def test_a_contestant_that_does_less_is_named():
    def record(*accuracies):
        return Record([1.0] * len(accuracies), list(accuracies))

    records = {
        "ours": record(0.85, 0.86, 0.84),
        "alike": record(0.86, 0.85, 0.85),
        "less": record(0.70, 0.71, 0.69),
        "products": record(),
    }
    assert rounds.unlike(records, "ours") == ["less"]


def test_the_report_of_a_race_has_every_contestant(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    records = {
        "ours": Record([1.0, 1.0], [0.85, 0.86]),
        "slower": Record([2.0, 3.0], [0.86, 0.85]),
        rounds.PEAK: Record([0.1, 0.1]),
    }
    assert rounds.limit_by_peak(records, gflop=17.18) == pytest.approx(171.8, rel=1e-3)
    found = rounds.report("race", "An epoch", records, "ours")["contestants"]
    assert list(found) == ["ours", "slower", "at the peak of 172 GFLOP/s"]
    assert found["slower"]["times_ours"]["median"] == 2.5
    assert found["at the peak of 172 GFLOP/s"]["seconds"]["median"] == pytest.approx(0.1, rel=1e-3)
    assert (tmp_path / "race.png").exists()
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed for name in found)


def test_ratios_are_taken_pair_by_pair():
    assert results.ratios([6.0, 20.0], [1.0, 2.0]) == [6.0, 10.0]
    assert results.summary([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0, "n": 3}


def test_operations_of_an_epoch_are_those_of_its_eight_products(task):
    products = [(784, 300), (300, 784), (300, 100), (100, 300), (100, 300), (100, 10)]
    products += [(10, 100), (10, 100)]
    expected = 2 * 1190 * sum(inputs * outputs for inputs, outputs in products)
    assert epoch.operations(task) == expected


def test_a_product_of_2048_has_17_billion_operations():
    assert peak.gflops([1.0, 0.5]) == pytest.approx([17.18, 34.36], rel=1e-3)


def test_results_have_where_and_when_they_were_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.write("race", {"answer": 42})
    written = json.loads(Path(tmp_path, "race.json").read_text())
    assert written["answer"] == 42
    assert {"date", "processor", "cores", "tensorflow"} <= written["measured"].keys()


PAGE = (ROOT / "docs" / "benchmarks.md").read_text()


@pytest.mark.parametrize(
    ("file", "prefix"), [("epoch", ""), ("cnn", "`cnn`, "), ("resnet", "`resnet`, ")]
)
def test_the_page_has_the_figures_of_the_results(file, prefix):
    found = json.loads((ROOT / "docs" / "bench" / f"{file}.json").read_text())
    for name, entry in found["contestants"].items():
        seconds, times = entry["seconds"]["median"], entry["times_ours"]["median"]
        assert f"\n| {prefix}{name} | {seconds:.2f} | {times:.2f} |" in PAGE


def test_readme_has_the_figures_of_the_results():
    found = json.loads((ROOT / "docs" / "bench" / "epoch.json").read_text())["contestants"]
    text = " ".join((ROOT / "README.md").read_text().split())
    assert f"it takes {found[epoch.OURS]['seconds']['median']:.2f} s" in text
    assert f"`fit` takes {found[epoch.FIT]['times_ours']['median']:.1f} times as long" in text
    assert f"by OpenBLAS, take {found[epoch.AVX2]['times_ours']['median']:.1f} times" in text
