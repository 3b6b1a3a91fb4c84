"""Races: all contestants do the same work, and what is reported is what was measured."""

import dataclasses
import json
from pathlib import Path

import pytest
from conftest import RECIPES, ROOT, tiny

from benchmarks import convolutions, epoch, results, rounds
from benchmarks.contestants import peak
from benchmarks.contestants.contestant import Task
from benchmarks.rounds import Contestant, Record


@pytest.fixture
def task(tmp_path):
    """Return a task on tiny data that a network of Dense layers learns in four epochs."""
    for split, count, seed in (("train", 1200, 0), ("validation", 300, 1)):
        tiny(count, seed).save(tmp_path / f"{split}.npz")
    recipe = RECIPES["mlp"] | {"epochs": 4}
    recipe["optimizer"] = recipe["optimizer"] | {"learning_rate": 0.05}
    return Task(recipe, str(tmp_path), images=1190, seed=3)


def test_contestants_of_this_environment_learn_the_same(task):
    for name in (epoch.OURS, epoch.FIT, "NumPy by hand", "scikit-learn"):
        report = epoch.CONTESTANTS[name].run(task)
        assert len(report["seconds"]) == 3, name
        assert report["val_accuracy"] > 0.95, name
    assert len(epoch.CONTESTANTS[epoch.AVX2].run(task)["seconds"]) == 3


def reported_by(contestant, task):
    if contestant.peer and not (rounds.PEERS / contestant.peer).exists():
        pytest.skip(f"{contestant.peer} is not installed; `make peers` does it")
    return contestant.run(task)


@pytest.mark.slow
@pytest.mark.parametrize("name", epoch.CONTESTANTS)
def test_every_contestant_of_the_default_recipe_learns(task, name):
    report = reported_by(epoch.CONTESTANTS[name], task)
    assert len(report["seconds"]) == 3
    assert report.get("val_accuracy", 1) > 0.95
    assert report["packages"]


@pytest.mark.slow
@pytest.mark.parametrize("name", convolutions.CONTESTANTS)
def test_every_contestant_of_the_convolutional_recipes_learns(task, name):
    # Small batches: normalization's running statistics need hundreds of steps to settle.
    recipe = RECIPES["resnet"] | {"epochs": 8, "batch_size": 16}
    recipe |= {"augmentation": RECIPES["cnn"]["augmentation"]}
    report = reported_by(convolutions.CONTESTANTS[name], dataclasses.replace(task, recipe=recipe))
    assert report.get("val_accuracy", 1) > 0.95


def test_a_peer_that_is_not_installed_is_left_out_by_name(task, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rounds, "PEERS", tmp_path)
    contestants = {name: epoch.CONTESTANTS[name] for name in ("JAX, jitted scan", epoch.PEAK)}
    assert list(rounds.race(contestants, task, rounds=1)) == [epoch.PEAK]
    said = capsys.readouterr().out
    assert "left out: JAX, jitted scan: jax is not installed; `make peers` does it" in said


def test_a_contestant_of_this_environment_that_fails_ends_the_race(task):
    broken = dataclasses.replace(task, data="/nowhere")
    with pytest.raises(rounds.InputError, match="peak ended with: FileNotFoundError.*nowhere"):
        rounds.race({epoch.PEAK: epoch.CONTESTANTS[epoch.PEAK]}, broken, rounds=1)


def test_a_contestant_has_no_variable_that_decides_numbers_but_its_own(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=SSE4_2")
    seen = Contestant("peak", environment={"OMP_NUM_THREADS": "1"}).variables()
    assert seen["OMP_NUM_THREADS"] == "1"
    assert not {"OPENBLAS_NUM_THREADS", "XLA_FLAGS"} & seen.keys()


def test_who_does_less_is_named():
    def record(*accuracies):
        return Record([1.0] * len(accuracies), list(accuracies))

    records = {
        "ours": record(0.85, 0.86, 0.84),
        "alike": record(0.86, 0.85, 0.85),
        "less": record(0.70, 0.71, 0.69),
        "products": record(),
    }
    assert rounds.unlike(records, "ours") == ["less"]


def test_ratios_are_taken_within_a_round():
    assert results.ratios([6.0, 20.0], [1.0, 2.0]) == [6.0, 10.0]
    assert results.summary([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0, "n": 3}


def test_operations_of_an_epoch_are_those_of_its_eight_products(task):
    products = [(784, 300), (300, 784), (300, 100), (100, 300), (100, 300), (100, 10)]
    products += [(10, 100), (10, 100)]
    expected = 2 * 1190 * sum(inputs * outputs for inputs, outputs in products)
    assert epoch.operations(task) == expected


def test_a_product_of_2048_has_17_billion_operations():
    assert peak.gflops([1.0, 0.5]) == pytest.approx([17.18, 34.36], rel=1e-3)


def test_results_say_where_and_when(tmp_path, monkeypatch):
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
    for name, told in found["contestants"].items():
        seconds, times = told["seconds"]["median"], told["times_ours"]["median"]
        assert f"\n| {prefix}{name} | {seconds:.2f} | {times:.2f} |" in PAGE


def test_readme_has_the_figures_of_the_results():
    found = json.loads((ROOT / "docs" / "bench" / "epoch.json").read_text())["contestants"]
    said = " ".join((ROOT / "README.md").read_text().split())
    assert f"it takes {found[epoch.OURS]['seconds']['median']:.2f} s" in said
    assert f"`fit` takes {found[epoch.FIT]['times_ours']['median']:.1f} times as long" in said
    assert f"by OpenBLAS, {found[epoch.AVX2]['times_ours']['median']:.1f} times" in said
