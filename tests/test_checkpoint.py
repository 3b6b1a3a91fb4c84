"""An interrupted training goes on after its last finished epoch, to the same bytes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from conftest import ADAM, TRAIN, VALIDATION, recipe

from fmnist.train.checkpoint import Checkpoint
from fmnist.train.fit import Fitted, fit
from fmnist.train.saving import save

MOMENTUM = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True}
COSINE = {"name": "cosine_decay", "warmup_epochs": 0.5, "alpha": 0.1}


def early_stopping(patience: int, restore: bool, min_delta: float = 0.0) -> dict[str, object]:
    return {
        "monitor": "val_loss",
        "min_delta": min_delta,
        "patience": patience,
        "restore_best_weights": restore,
    }


TRAININGS = {
    "mlp": recipe("mlp", optimizer=MOMENTUM, schedule=COSINE, network={"dropout": 0.3}, epochs=4),
    "cnn": recipe(
        "cnn",
        network={"filters": [4], "residual_blocks": [1], "units": [8], "dropout": 0.3},
        augmentation={"flip": True, "shift": 2, "erase": 8},
        early_stopping=early_stopping(patience=4, restore=True),
    ),
    "adam": recipe("mlp", optimizer=ADAM),
    # No epoch after the first counts as better.
    "mlp, stopped early": recipe(
        "mlp",
        early_stopping=early_stopping(patience=2, restore=True, min_delta=99.0),
        epochs=6,
    ),
    "mlp, stopped early, last weights": recipe(
        "mlp",
        early_stopping=early_stopping(patience=2, restore=False, min_delta=99.0),
        epochs=6,
    ),
}


def digest(fitted: Fitted, folder: Path) -> str:
    """Return a hash of the saved network with its optimizer, and of all figures."""
    save(fitted.model, folder / "model.keras")
    content = (folder / "model.keras").read_bytes()
    return hashlib.sha256(content + repr([fitted.history, fitted.scores]).encode()).hexdigest()


@pytest.mark.parametrize("training", TRAININGS)
def test_a_training_resumed_after_any_epoch_ends_with_the_same_bytes(training, tmp_path):
    states = []
    whole = fit(TRAININGS[training], 3, TRAIN, VALIDATION, keep=states.append)
    assert len(states) == len(whole.history)
    if "stopped" in training:
        assert len(states) < TRAININGS[training].epochs
    expected = digest(whole, tmp_path)
    checkpoint = Checkpoint(tmp_path, training)
    for epoch, state in enumerate(states, start=1):
        checkpoint.save(state)
        rows = []
        resumed = fit(
            TRAININGS[training],
            3,
            TRAIN,
            VALIDATION,
            report=rows.append,
            resume=checkpoint.load(),
        )
        assert rows == whole.history[epoch:]
        assert digest(resumed, tmp_path) == expected, epoch


def test_a_checkpoint_is_found_only_with_all_that_decided_it(tmp_path):
    decisive = [42, {"learning_rate": 0.1, "units": [300]}, ["numpy==2.4.6"], "data"]
    Checkpoint(tmp_path, decisive).save({"a": np.arange(3), "b": np.array("text")})
    found = Checkpoint(tmp_path, decisive).load()
    assert found["a"].tolist() == [0, 1, 2]
    assert str(found["b"]) == "text"
    for position, other in enumerate([43, {"learning_rate": 0.1}, ["numpy==2.4.7"], "other"]):
        changed = [*decisive[:position], other, *decisive[position + 1 :]]
        assert Checkpoint(tmp_path, changed).load() is None


def test_a_checkpoint_of_other_code_is_not_found(tmp_path, monkeypatch):
    Checkpoint(tmp_path, "same").save({"a": np.arange(3)})
    other = tmp_path / "fit.py"
    other.write_text("# other code\n")
    monkeypatch.setattr("fmnist.train.fit.__file__", str(other))
    assert Checkpoint(tmp_path, "same").load() is None


def test_a_damaged_checkpoint_is_said_and_not_used(tmp_path):
    checkpoint = Checkpoint(tmp_path, "any")
    checkpoint.save({"a": np.arange(1000)})
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    flipped = [
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 37)
    ]
    for damaged in (b"", whole[:-1], whole[: len(whole) // 2], *flipped):
        path.write_bytes(damaged)
        with pytest.warns(UserWarning, match="damaged; training starts anew"):
            assert checkpoint.load() is None


def test_a_checkpoint_goes_away_with_its_folder(tmp_path):
    folder = tmp_path / "checkpoints"
    first, second = Checkpoint(folder, 1), Checkpoint(folder, 2)
    first.save({"a": np.arange(3)})
    second.save({"a": np.arange(3)})
    first.remove()
    assert second.load() is not None
    second.remove()
    assert not folder.exists()
    second.remove()
