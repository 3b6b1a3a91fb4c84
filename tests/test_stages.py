"""Stages as a user meets them: what they write, and their errors for bad input."""

import csv
import hashlib
import json

import keras
import numpy as np
import pytest
from programs import call, dvc
from projects import set_value

from fmnist.dataset.classes import CLASSES
from fmnist.dataset.images import Images
from fmnist.evaluate.metrics import measure

# The keys of metrics/test.json, in its order.
TEST_METRICS = [
    "accuracy",
    "accuracy_standard_error",
    "loss",
    "loss_standard_error",
    "correct",
    "top_2_accuracy",
    "expected_calibration_error",
    "per_class",
    "flip",
]


def test_every_metric_is_listed_here():
    measured = [*measure(np.eye(10, dtype=np.float32), np.arange(10, dtype=np.uint8)), "flip"]
    assert measured == TEST_METRICS, (
        "tests/test_stages.py: make TEST_METRICS the keys of `measure`, in its order: "
        + ", ".join(measured)
    )


def test_the_prepared_data_follow_their_contract(reproduced):
    prepared = reproduced / "data" / "prepared"
    train, validation, test = (
        Images.load(prepared / f"{name}.npz") for name in ("train", "validation", "test")
    )
    assert [part.images.shape for part in (train, validation, test)] == [
        (47, 28, 28),
        (13, 28, 28),
        (20, 28, 28),
    ]
    assert json.loads((prepared / "normalization.json").read_text()) == {
        "shift": 0.0,
        "scale": 255.0,
    }


def test_the_trained_network_loads_with_plain_keras(reproduced):
    model = keras.saving.load_model(reproduced / "models" / "model.keras", safe_mode=True)
    test = Images.load(reproduced / "data" / "prepared" / "test.npz")
    with np.load(reproduced / "data" / "predictions.npz", allow_pickle=False) as saved:
        probabilities, labels = saved["probabilities"], saved["labels"]
    assert probabilities.dtype == np.float32
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, test.labels)
    np.testing.assert_allclose(probabilities, model.predict(test.images, verbose=0), atol=1e-6)
    loss, accuracy = model.evaluate(test.images, test.labels, verbose=0)
    metrics = json.loads((reproduced / "metrics" / "test.json").read_text())
    assert (metrics["accuracy"], metrics["loss"]) == pytest.approx((accuracy, loss), abs=1e-5)


def test_tables_and_metrics_follow_their_contract(reproduced):
    with (reproduced / "plots" / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert list(history[0]) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss", "weights"]
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    weights = keras.saving.load_model(reproduced / "models" / "model.keras").get_weights()
    digest = hashlib.sha256(b"".join(array.tobytes() for array in weights)).hexdigest()
    assert history[-1]["weights"] == digest[:16]
    train = json.loads((reproduced / "metrics" / "train.json").read_text())
    assert list(train) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert str(train["val_loss"]) == history[-1]["val_loss"]
    test = json.loads((reproduced / "metrics" / "test.json").read_text())
    assert list(test) == TEST_METRICS
    with (reproduced / "plots" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    assert list(rows[0]) == ["actual", "predicted"]
    assert {value for row in rows for value in row.values()} <= set(CLASSES)
    assert sum(row["actual"] == row["predicted"] for row in rows) == test["correct"]


def test_flips_at_test_time_are_reported_beside_the_plain_figures(project):
    both = json.loads((project / "metrics" / "test.json").read_text())
    set_value(project, "evaluate.flip", False)
    result = call(project, "stages.evaluate")
    assert result.returncode == 0, result.stderr
    plain = json.loads((project / "metrics" / "test.json").read_text())
    flip = both.pop("flip")
    assert both == plain
    assert flip.keys() == plain.keys()
    assert flip["loss"] != plain["loss"]


def test_dvc_reads_the_metrics_and_the_plots(reproduced):
    metrics = json.loads(dvc(reproduced, "metrics", "show", "--json"))
    files = metrics[""]["data"]
    assert set(files) == {"metrics/train.json", "metrics/test.json"}
    assert set(files["metrics/test.json"]["data"]["per_class"]) == set(CLASSES)
    plots = json.loads(dvc(reproduced, "plots", "show", "--json"))["data"]
    assert {"accuracy", "loss", "confusion"} <= set(plots)
    assert all(len(plots[name]) >= 1 for name in ("accuracy", "loss", "confusion"))


def test_show_prints_the_metrics(reproduced):
    result = call(reproduced, "commands.show")
    test = json.loads((reproduced / "metrics" / "test.json").read_text())
    assert f"Test accuracy {test['accuracy']:.4f} +- " in result.stdout
    assert f"({test['correct']} of 20 images right" in result.stdout


def test_the_plot_stage_prints_the_first_predictions(project):
    result = call(project, "stages.plot")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("image ") == 3


def test_show_names_a_missing_file(project):
    (project / "metrics" / "test.json").unlink()
    result = call(project, "commands.show")
    assert result.returncode == 2
    assert result.stderr == "error: metrics/test.json: no such file; `dvc repro` makes it\n"


@pytest.mark.parametrize(
    ("stage", "file", "damage", "message"),
    [
        ("preprocess", "data/raw/train-images-idx3-ubyte", lambda b: b[:-1], "bytes for sizes"),
        (
            "preprocess",
            "data/raw/t10k-labels-idx1-ubyte",
            lambda b: b"\0" * 9,
            "expected IDX labels",
        ),
        (
            "train",
            "data/prepared/train.npz",
            lambda b: b[:999],
            "expected an .npz file without pickles",
        ),
        (
            "evaluate",
            "models/model.keras",
            lambda b: b[:999],
            "expected a network that plain Keras",
        ),
        ("plot", "data/predictions.npz", lambda b: b"", "expected an .npz file without pickles"),
        ("plot", "metrics/test.json", lambda b: b"{", "expected JSON"),
    ],
)
def test_damaged_input_fails_with_one_line_that_names_the_file(
    project, stage, file, damage, message
):
    path = project / file
    content = path.read_bytes()
    path.unlink()  # it may be a link into the cache
    path.write_bytes(damage(content))
    result = call(project, f"stages.{stage}")
    assert result.returncode == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {file}: ")
    assert message in errors[0]
    assert "Traceback" not in result.stderr


def test_swapped_raw_files_are_named(project):
    raw = project / "data" / "raw"
    images, test = raw / "train-images-idx3-ubyte", raw / "t10k-images-idx3-ubyte"
    first, second = images.read_bytes(), test.read_bytes()
    for path, content in ((images, second), (test, first)):
        path.unlink()
        path.write_bytes(content)
    result = call(project, "stages.preprocess")
    assert result.returncode == 2
    assert (
        "train-labels-idx1-ubyte: expected a label for each of the 20 images beside it, found 60"
        in result.stderr
    )


def test_an_invalid_parameter_fails_before_any_work(project):
    before = (project / "models" / "model.keras").read_bytes()
    set_value(project, "recipes.mlp.batch_size", 0)
    result = call(project, "stages.train")
    assert result.returncode == 2
    assert result.stderr == (
        "error: params.yaml: recipes.mlp.batch_size: expected to be greater than 0, found 0\n"
    )
    assert (project / "models" / "model.keras").read_bytes() == before


def test_a_folder_that_cannot_be_made_fails_with_one_line(project):
    (project / "data" / "prepared").rename(project / "prepared")
    (project / "data" / "prepared").write_text("another")
    result = call(project, "stages.preprocess")
    assert result.returncode == 2
    assert result.stderr == "error: data/prepared: File exists\n"
