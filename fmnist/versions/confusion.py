"""How two models classify the images of each class, over the same test images."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fmnist.dataset.classes import CLASSES
from fmnist.stage.command import InputError
from fmnist.versions.significance import LEVEL, paired, precision_p_value
from fmnist.versions.version import Version


@dataclass(frozen=True)
class Share:
    """A recall or a precision of both models; none of a class without images or predictions.

    Attributes:
        moved: whether it differs beyond sampling noise, after correction for all classes.
    """

    base: float | None
    head: float | None
    moved: bool


@dataclass(frozen=True)
class Confusion:
    """How many images of one class each model assigns to another."""

    actual: str
    predicted: str
    base: int
    head: int


@dataclass(frozen=True)
class ClassChange:
    """A class, the number of its test images, and its recall and precision."""

    name: str
    images: int
    recall: Share
    precision: Share


def side_by_side(base: Version, head: Version) -> pd.DataFrame:
    """Return a row for each test image, with the columns ``actual``, ``base`` and ``head``.

    Raises:
        InputError: predictions are missing, or are not of the same images; says why.
    """
    before, after = base.predictions(), head.predictions()
    if base.test_images != head.test_images:
        raise InputError("base and head have other test images")
    if not before["actual"].equals(after["actual"]):
        raise InputError(
            "plots/predictions.csv of base and head have other classes, or other numbers of them"
        )
    found = pd.DataFrame(
        {"actual": before["actual"], "base": before["predicted"], "head": after["predicted"]}
    )
    if unknown := set(classes(found)) - set(found["actual"]) - set(CLASSES):
        raise InputError(f"{', '.join(sorted(unknown))}: predicted, but no test image's class")
    return found


def classes(predictions: pd.DataFrame) -> list[str]:
    """Return the classes in the order of their labels, others after them."""
    found = set(np.unique(predictions))
    return [name for name in CLASSES if name in found] + sorted(found - set(CLASSES))


def display_name(name: str) -> str:
    """Return a class's name for people."""
    return name.replace("_", " ")


def corrected(count: int) -> float:
    """Return the level for each recall and precision of ``count`` classes (Bonferroni)."""
    return LEVEL / (2 * count)


def by_class(predictions: pd.DataFrame) -> list[ClassChange]:
    """Compare the models class by class.

    Args:
        predictions: a row for each test image, with the columns ``actual``, ``base``, ``head``.
    """
    names = classes(predictions)
    level = corrected(len(names))
    changes = []
    for name in names:
        actual, base, head = (
            (predictions[column] == name).to_numpy() for column in ("actual", "base", "head")
        )
        recalls = [_share(model[actual]) for model in (base, head)]
        moved = actual.any() and paired(base[actual], head[actual]).p_value < level
        precisions = [_share(actual[model]) for model in (base, head)]
        changes.append(
            ClassChange(
                name,
                int(actual.sum()),
                Share(*recalls, bool(moved)),
                Share(*precisions, precision_p_value(actual, base, head) < level),
            )
        )
    return changes


def matrices(predictions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the confusion matrices of base and head: true class (row), prediction (column)."""
    names = classes(predictions)
    before, after = (
        pd.crosstab(predictions["actual"], predictions[model]).reindex(
            index=names, columns=names, fill_value=0
        )
        for model in ("base", "head")
    )
    return before, after


def most_changed(predictions: pd.DataFrame, count: int = 10) -> list[Confusion]:
    """Return the confusions whose number changed most."""
    before, after = matrices(predictions)
    pairs = [
        Confusion(actual, given, int(before.loc[actual, given]), int(after.loc[actual, given]))
        for actual in before.index
        for given in before.columns
        if actual != given and before.loc[actual, given] != after.loc[actual, given]
    ]
    return sorted(pairs, key=lambda pair: -abs(pair.head - pair.base))[:count]


def _share(of: np.ndarray) -> float | None:
    return float(of.mean()) if of.size else None
