"""The metrics of predictions, against independent oracles."""

import math
import re

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

from fmnist.network import scores
from fmnist.dataset.classes import CLASSES
from fmnist.evaluate.loading import load
from fmnist.evaluate.metrics import measure
from fmnist.network.prediction import Predictor
from fmnist.predictions.calibration import calibration
from fmnist.stage.command import InputError

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 10, 500).astype(np.uint8)
LOGITS = RANDOM.normal(size=(500, 10)) + 2 * np.eye(10)[LABELS]
PROBABILITIES = (np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)).astype(np.float32)


def test_figures_agree_with_counts_by_hand():
    found = measure(PROBABILITIES, LABELS)
    right = sum(
        max(range(10), key=row.__getitem__) == label
        for row, label in zip(PROBABILITIES, LABELS, strict=True)
    )
    of_label = [-math.log(row[label]) for row, label in zip(PROBABILITIES, LABELS, strict=True)]
    mean = sum(of_label) / 500
    deviation = math.sqrt(sum((loss - mean) ** 2 for loss in of_label) / 499)
    second = sum(
        label in sorted(range(10), key=row.__getitem__)[-2:]
        for row, label in zip(PROBABILITIES, LABELS, strict=True)
    )
    assert found["correct"] == right
    assert found["accuracy"] == right / 500
    assert found["accuracy_standard_error"] == round(
        math.sqrt(right / 500 * (1 - right / 500) / 500), 6
    )
    assert found["loss"] == pytest.approx(mean, abs=1e-6)
    assert found["loss_standard_error"] == pytest.approx(deviation / math.sqrt(500), abs=1e-6)
    assert found["top_2_accuracy"] == second / 500


def test_precision_recall_and_f1_agree_with_counts_by_hand():
    predicted = PROBABILITIES.argmax(axis=1)
    for label, name in enumerate(CLASSES):
        true_positive = sum((predicted == label) & (label == LABELS))
        precision = true_positive / sum(predicted == label)
        recall = true_positive / sum(label == LABELS)
        assert measure(PROBABILITIES, LABELS)["per_class"][name] == {
            "precision": pytest.approx(precision, abs=1e-6),
            "recall": pytest.approx(recall, abs=1e-6),
            "f1": pytest.approx(2 * precision * recall / (precision + recall), abs=1e-6),
        }


def test_loss_agrees_with_scikit_learn_and_with_keras():
    losses = scores.losses(PROBABILITIES, LABELS)
    exact = PROBABILITIES / PROBABILITIES.sum(axis=1, keepdims=True, dtype=np.float64)
    assert losses.mean() == pytest.approx(log_loss(LABELS, exact), abs=1e-6)
    keras_losses = keras.losses.sparse_categorical_crossentropy(LABELS, PROBABILITIES)
    np.testing.assert_allclose(losses, keras_losses.numpy(), rtol=1e-5)


def test_a_probability_of_zero_gives_a_large_but_finite_loss():
    losses = scores.losses(np.array([[0, 1]], np.float32), np.array([0], np.uint8))
    assert losses[0] == pytest.approx(87.336, abs=1e-3)


def test_nothing_predicted_or_present_gives_zero_and_no_warning():
    certain = np.eye(10, dtype=np.float32)[[3, 3]]
    found = measure(certain, np.array([3, 4], np.uint8))
    assert found["per_class"]["Bag"] == {"precision": 0, "recall": 0, "f1": 0}
    assert found["per_class"]["Dress"] == {"precision": 0.5, "recall": 1.0, "f1": 0.666667}
    assert found["accuracy"] == 0.5


def test_one_image_has_a_standard_error_of_zero():
    found = measure(PROBABILITIES[:1], LABELS[:1])
    assert found["loss_standard_error"] == found["accuracy_standard_error"] == 0


def test_calibration_error_of_a_hand_made_example():
    # Two images at confidence 0.85, one of them right; two at 0.55, both right.
    probabilities = np.array([[0.85, 0.15]] * 2 + [[0.45, 0.55]] * 2, np.float32)
    found = calibration(probabilities, np.array([0, 1, 1, 1]), bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0]
    assert found.expected_error == pytest.approx((2 * (0.85 - 0.5) + 2 * (1 - 0.55)) / 4)


def test_certain_predictions_fall_into_the_last_bin():
    found = calibration(np.eye(10, dtype=np.float32), np.arange(10))
    assert found.counts[-1] == 10
    assert found.expected_error == 0


def test_a_predictor_agrees_with_keras_whatever_the_batch(network):
    images = RANDOM.random((25, 28, 28), dtype=np.float32)
    expected = network.predict(images, batch_size=25, verbose=0)
    for batch_size in (1, 10, 25, 100):
        found = Predictor(network, batch_size)(images)
        assert found.shape == (25, 10)
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.fixture
def network():
    return keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )


IMAGES = np.zeros((1, 28, 28), np.float32)


def test_a_saved_network_loads(tmp_path, network):
    network.save(tmp_path / "model.keras")
    assert load(tmp_path / "model.keras", IMAGES).output_shape == (None, 10)


def test_a_network_that_carries_code_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    shady = keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Lambda(lambda x: x), keras.layers.Flatten()]
    )
    shady.save(path)
    with pytest.raises(InputError, match=re.escape(f"{path}: expected a network that plain Keras")):
        load(path, IMAGES)


def test_a_network_for_other_images_or_classes_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((14, 14)), keras.layers.Flatten(), keras.layers.Dense(10)]).save(
        path
    )
    with pytest.raises(InputError, match=r"from \(None, 28, 28\) to \(None, 10\), found one from"):
        load(path, IMAGES)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_network_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    image = keras.Input((28, 28))
    flat = keras.layers.Flatten()(image)
    pooled = keras.layers.Flatten()(keras.layers.MaxPooling1D()(image))
    around = keras.layers.Concatenate()([keras.layers.Dense(10)(flat), pooled])
    message = "expected a network with one path from images to its first Dense layer, found a"
    for model in (
        keras.Model(image, keras.layers.Dense(10)(around)),
        keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten()]),
        keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)]),  # not built
        keras.Model([image, keras.Input((28, 28))], keras.layers.Dense(10)(flat)),
    ):
        model.save(path)
        with pytest.raises(InputError, match=message):
            load(path, IMAGES)


@pytest.mark.parametrize("damage", [b"", b"not a zip file", None])
def test_a_damaged_or_missing_network_is_refused(tmp_path, damage):
    path = tmp_path / "model.keras"
    message = "no such file; `dvc repro` makes it"
    if damage is not None:
        path.write_bytes(damage)
        message = "expected a network that plain Keras loads in safe mode, found: "
    with pytest.raises(InputError, match=re.escape(f"{path}: {message}")):
        load(path, IMAGES)


def test_class_names_can_be_keys_of_nested_metrics():
    assert not any(set(name) & set("/. ") for name in CLASSES)
    assert len(set(CLASSES)) == 10
