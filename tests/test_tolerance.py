"""Artifacts compared as numbers."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from fmnist.versions import tolerance


def files(folder: Path, suffix: str, before: object, after: object) -> tuple[Path, Path]:
    paths = folder / f"before{suffix}", folder / f"after{suffix}"
    for path, content in zip(paths, (before, after), strict=True):
        if suffix == ".npz":
            np.savez(path, **content)
        elif suffix == ".keras":
            content.save(path)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return paths


NAN = float("nan")


@pytest.mark.parametrize(
    ("suffix", "before", "after", "near"),
    [
        (".json", {"a": {"b": 0.50}, "n": 3}, {"a": {"b": 0.52}, "n": 4}, True),
        (".json", {"a": {"b": 0.50}, "n": 3}, {"a": {"b": 0.54}, "n": 3}, False),
        (".json", {"a": 0.5, "b": 0.5}, {"a": 0.5, "b": NAN}, False),
        (".json", {"a": 0.5}, {"a": 0.5, "b": 0.5}, False),
        (".csv", "epoch,loss\n1,0.50\n", "epoch,loss\n1,0.52\n", True),
        (".csv", "epoch,loss\n1,0.50\n", "epoch,loss\n1,0.54\n", False),
        (".csv", "epoch,loss\n1,0.50\n", "epoch,loss\n1,0.50\n2,0.50\n", False),
        (".csv", "epoch,loss\n1,0.5\n", "", False),
        (".csv", "actual,predicted\na,b\n", "actual,predicted\na,b\n", True),
        (".csv", "actual,predicted\na,b\n", "actual,predicted\na,a\n", False),
        (".npz", {"a": np.zeros(4)}, {"a": np.full(4, 0.01)}, True),
        (".npz", {"a": np.zeros(4)}, {"a": np.full(4, 0.03)}, False),
        (".npz", {"a": np.zeros(4), "b": np.zeros(2)}, {"a": np.zeros(4), "b": [0, NAN]}, False),
        (".npz", {"a": np.zeros(4)}, {"a": np.zeros(4), "b": np.zeros(1)}, False),
        (".npz", {"a": np.zeros((4, 1))}, {"a": np.zeros(4)}, False),
    ],
)
def test_figures_and_arrays_are_near_or_not(tmp_path, suffix, before, after, near):
    found, how = tolerance.compare(*files(tmp_path, suffix, before, after))
    assert found is near
    assert "at most" in how or "cannot be compared" in how


def test_weights_are_near_or_not(tmp_path):
    first, second = (
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
        for _ in range(2)
    )
    second.set_weights([weights * 1.3 for weights in first.get_weights()])
    near, how = tolerance.compare(*files(tmp_path, ".keras", first, second))
    assert near
    assert how == "largest distance of a layer 0.3, at most 0.8"
    second.set_weights([weights * -1 for weights in first.get_weights()])
    assert not tolerance.compare(*files(tmp_path, ".keras", first, second))[0]
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    assert not tolerance.compare(*files(tmp_path, ".keras", first, other))[0]


def test_plots_are_not_compared(tmp_path):
    assert tolerance.compare(tmp_path / "a.png", tmp_path / "b.png") is None
