"""Classes and metrics of two models, against counts by hand and simulated chance."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from fmnist.versions import metric_differences
from fmnist.versions.confusion import Confusion, by_class, matrices, most_changed
from fmnist.versions.significance import paired, precision_p_value


def predictions(*rows: tuple[int, str, str, str]) -> pd.DataFrame:
    """Return a table from rows of a count, an actual class, and the predictions of both models."""
    return pd.DataFrame(
        [row[1:] for row in rows for _ in range(row[0])], columns=["actual", "base", "head"]
    )


def test_recall_and_precision_are_shares_of_counts():
    bag, coat = by_class(
        predictions(
            (6, "Coat", "Coat", "Coat"),
            (2, "Coat", "Bag", "Coat"),
            (3, "Bag", "Bag", "Bag"),
            (1, "Bag", "Bag", "Coat"),
        )
    )[::-1]
    assert (coat.name, coat.images, bag.name, bag.images) == ("Coat", 8, "Bag", 4)
    assert (coat.recall.base, coat.recall.head) == (6 / 8, 8 / 8)
    assert (coat.precision.base, coat.precision.head) == (6 / 6, 8 / 9)
    assert (bag.recall.base, bag.recall.head) == (4 / 4, 3 / 4)
    assert (bag.precision.base, bag.precision.head) == (4 / 6, 3 / 3)
    assert not any(share.moved for row in (bag, coat) for share in (row.recall, row.precision))


def test_only_a_class_that_changed_beyond_noise_is_marked():
    rows = by_class(
        predictions(
            (100, "Coat", "Coat", "Coat"),
            (30, "Coat", "Shirt", "Coat"),
            (100, "Bag", "Bag", "Bag"),
            (2, "Bag", "Coat", "Bag"),
            (100, "Shirt", "Shirt", "Shirt"),
        )
    )
    assert [row.name for row in rows if row.recall.moved] == ["Coat"]
    assert [row.name for row in rows if row.precision.moved] == ["Shirt"]


def test_the_mark_is_corrected_for_the_number_of_classes():
    moved = (8, "Coat", "Bag", "Coat")  # p = 2 / 2^8 = 0.0078: below 0.05 / 6, not below 0.05 / 8
    others = [(20, name, name, name) for name in ("Bag", "Dress", "Shirt")]
    assert by_class(predictions(moved, *others[:2]))[1].recall.moved
    assert not by_class(predictions(moved, *others))[1].recall.moved


def test_a_class_without_predictions_has_no_precision():
    (coat, bag) = by_class(predictions((5, "Coat", "Coat", "Bag"), (5, "Bag", "Bag", "Bag")))
    assert (coat.name, coat.precision.base, coat.precision.head) == ("Coat", 1.0, None)
    assert not coat.precision.moved
    assert bag.precision.head == 0.5


def test_precisions_that_differ_by_chance_are_marked_at_the_stated_rate():
    random = np.random.default_rng(0)

    def model(actual: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Decide most images by what they show, which both models see, others by chance."""
        seen = np.where(random.random(len(image)) < 0.7, image, random.random(len(image)))
        return np.where(actual, seen < 0.8, seen < 0.03)

    p_values = []
    for _ in range(1500):
        actual, image = random.random(2000) < 0.1, random.random(2000)
        p_values.append(precision_p_value(actual, model(actual, image), model(actual, image)))
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.017)
    assert np.median(p_values) == pytest.approx(0.5, abs=0.05)


def test_the_precision_test_agrees_with_resampled_images():
    random = np.random.default_rng(1)
    actual, image = random.random(4000) < 0.2, random.random(4000)
    base = np.where(actual, image < 0.8, image < 0.05)
    head = np.where(actual, image < 0.85, (image < 0.02) | (image > 0.985))
    differences = []
    for _ in range(4000):
        drawn = random.integers(0, 4000, 4000)
        a, b, h = actual[drawn], base[drawn], head[drawn]
        differences.append(a[h].mean() - a[b].mean())
    z = (actual[head].mean() - actual[base].mean()) / np.std(differences)
    assert precision_p_value(actual, base, head) == pytest.approx(
        2 * NormalDist().cdf(-abs(z)), rel=0.35
    )


def test_confusions_are_listed_by_how_much_their_number_changed():
    table = predictions(
        (50, "Coat", "Coat", "Coat"),
        (5, "Coat", "Shirt", "Coat"),
        (1, "Bag", "Bag", "Coat"),
        (9, "Shirt", "Coat", "Coat"),
        (2, "Shirt", "Coat", "Shirt"),
    )
    assert most_changed(table) == [
        Confusion("Coat", "Shirt", 5, 0),
        Confusion("Shirt", "Coat", 11, 9),
        Confusion("Bag", "Coat", 0, 1),
    ]
    assert most_changed(table, count=1) == [Confusion("Coat", "Shirt", 5, 0)]
    before, after = matrices(table)
    assert (before.loc["Coat", "Coat"], after.loc["Coat", "Coat"]) == (50, 55)
    assert before.to_numpy().sum() == after.to_numpy().sum() == len(table)


def test_the_error_of_a_difference_of_accuracies_counts_images_in_pairs():
    random = np.random.default_rng(2)
    base, head = random.random(500) < 0.8, random.random(500) < 0.85
    figures = {
        "metrics/test.json": {
            "accuracy": {"old": base.mean(), "new": head.mean(), "diff": head.mean() - base.mean()},
            "accuracy_standard_error": {"old": 0.02, "new": 0.02},
            "loss": {"old": 0.5, "new": 0.4, "diff": -0.1},
            "loss_standard_error": {"old": 0.03, "new": 0.04},
            "per_class.Coat.recall": {"old": 0.5, "new": 0.6, "diff": 0.1},
        },
        "metrics/train.json": {"epoch": {"old": 30, "new": 8, "diff": -22}},
    }
    accuracy, loss, epoch = metric_differences.compare(figures, paired(base, head))
    assert accuracy.name == "test: accuracy"
    differences = head.astype(float) - base
    assert accuracy.error == pytest.approx(differences.std() / np.sqrt(500), rel=1e-9)
    assert not accuracy.is_bound
    assert (loss.error, loss.is_bound) == (pytest.approx(0.05), True)
    assert (epoch.name, epoch.difference, epoch.error) == ("train: epoch", -22, None)
    unpaired = metric_differences.compare(figures, None)[0]
    assert (unpaired.error, unpaired.is_bound) == (pytest.approx(0.02 * np.sqrt(2)), True)


def test_a_figure_of_one_side_has_no_difference():
    figures = {  # as DVC prints it
        "flip.accuracy": {"old": None, "new": 0.9},
        "flip.accuracy_standard_error": {"old": None, "new": 0.003},
    }
    (row,) = metric_differences.compare({"metrics/test.json": figures}, None)
    assert (row.base, row.head, row.difference, row.error) == (None, 0.9, None, None)
