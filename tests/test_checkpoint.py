"""An interrupted training resumes after its last finished epoch, and ends with the same bytes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from tiny_data import ADAM, TRAIN, VALIDATION, recipe

from fmnist.train import decisive
from fmnist.train.checkpoint import Checkpoint, decode, encode
from fmnist.train.saving import save
from fmnist.train.training import Training

COSINE = {"name": "cosine_decay", "warmup_epochs": 0.5, "alpha": 0.1}
TRAININGS = {
    "mlp": recipe("mlp", optimizer=ADAM, schedule=COSINE, network={"dropout": 0.3}),
    "cnn": recipe(  # SGD with momentum
        "cnn",
        network={"filters": [4], "residual_blocks": [1], "units": [8], "dropout": 0.3},
        augmentation={"flip": True, "shift": 2, "erase": 8},
        epochs=2,
    ),
}


def digest(training: Training, folder: Path) -> str:
    """Return a hash of the saved network with its optimizer, and of all metrics."""
    save(training.model, folder / "model.keras")
    content = (folder / "model.keras").read_bytes()
    metrics = repr([training.history, training.scores()])
    return hashlib.sha256(content + metrics.encode()).hexdigest()


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_interrupted_after_every_epoch_ends_with_the_same_bytes(name, tmp_path):
    chosen = TRAININGS[name]
    whole = Training(chosen, 3, TRAIN, VALIDATION)
    states = [whole.state() for _ in whole.epochs()]
    assert len(states) == len(whole.history) == chosen.epochs
    checkpoint = Checkpoint(tmp_path, name)
    for epoch in range(1, chosen.epochs + 1):  # each in a network of its own
        resumed = Training(chosen, 3, TRAIN, VALIDATION, checkpoint.load())
        assert list(resumed.epochs(until=epoch)) == whole.history[epoch - 1 : epoch]
        checkpoint.save(resumed.state())
        for array, expected in zip(
            resumed.state().values(), states[epoch - 1].values(), strict=True
        ):
            np.testing.assert_array_equal(array, expected)
    assert digest(resumed, tmp_path) == digest(whole, tmp_path)


def test_a_finished_training_resumes_with_nothing_left_to_do():
    whole = Training(recipe("mlp", epochs=1), 3, TRAIN, VALIDATION)
    list(whole.epochs())
    resumed = Training(recipe("mlp", epochs=1), 3, TRAIN, VALIDATION, whole.state())
    assert list(resumed.epochs()) == []
    assert resumed.scores() == whole.scores()


@pytest.fixture
def dependencies(folder) -> Path:
    """A folder with the files that decide a training, each with a content of its own."""
    for name in decisive.DEPENDENCIES:
        path = folder / name if "." in name else folder / name / "module.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    pins = [f'{group} = ["{group}-package==1"]' for group in decisive.PINS]
    (folder / "pyproject.toml").write_text("\n".join(["[dependency-groups]", *pins]))
    return folder


def test_the_key_depends_on_parameters_data_code_and_packages(dependencies):
    parameters = [42, {"learning_rate": 0.1, "units": [300]}]
    keys = [decisive.training_key(parameters)]
    assert decisive.training_key([42, {"units": [300], "learning_rate": 0.1}]) == keys[0]
    keys.append(decisive.training_key([43, parameters[1]]))
    keys.append(decisive.training_key([42, {"learning_rate": 0.1}]))
    for path in sorted(path for path in dependencies.rglob("*") if path.is_file()):
        content = path.read_text()
        path.write_text(content.replace("==1", "==2") if path.suffix == ".toml" else "other")
        keys.append(decisive.training_key(parameters))
        path.write_text(content)
    (dependencies / "fmnist" / "train" / "new.py").touch()
    keys.append(decisive.training_key(parameters))
    assert len(set(keys)) == len(keys) == 5 + len(decisive.DEPENDENCIES)


def test_compiled_code_does_not_change_the_key(dependencies):
    before = decisive.training_key("same")
    (dependencies / "fmnist" / "train" / "module.pyc").touch()
    assert decisive.training_key("same") == before


def test_a_checkpoint_is_found_only_under_its_key(tmp_path):
    Checkpoint(tmp_path, "one").save({"a": np.arange(3), "b": np.array("text")})
    found = Checkpoint(tmp_path, "one").load()
    assert found["a"].tolist() == [0, 1, 2]
    assert str(found["b"]) == "text"
    assert Checkpoint(tmp_path, "other").load() is None


def test_a_damaged_checkpoint_is_reported_and_not_used(tmp_path):
    checkpoint = Checkpoint(tmp_path, "any")
    checkpoint.save({"a": np.arange(1000)})
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="any: damaged; training starts again"):
        assert checkpoint.load() is None


def test_any_damage_is_detected():
    whole = encode({"a": np.arange(1000)})
    flipped = [
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 37)
    ]
    for damaged in (b"", whole[:-1], whole[: len(whole) // 2], *flipped):
        assert decode(damaged) is None
    assert decode(whole)["a"].tolist() == list(range(1000))


def test_a_removed_checkpoint_takes_its_empty_folder_along(tmp_path):
    folder = tmp_path / "checkpoints"
    first, second = Checkpoint(folder, "1"), Checkpoint(folder, "2")
    first.save({"a": np.arange(3)})
    second.save({"a": np.arange(3)})
    first.remove()
    assert second.load() is not None
    second.remove()
    assert not folder.exists()
    second.remove()
