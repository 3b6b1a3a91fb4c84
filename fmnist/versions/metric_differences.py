"""The metrics of two versions, as DVC reads them, with the standard errors of differences."""

from dataclasses import dataclass
from math import hypot, sqrt

from fmnist.versions.significance import Paired

Differences = dict[str, dict[str, dict[str, float]]]  # of `dvc metrics diff --json --all`


@dataclass(frozen=True)
class Metric:
    """A metric of both sides; none where it is missing.

    Attributes:
        error: standard error of the difference, from the choice of images, where it is known.
        is_bound: whether that is an upper bound, computed as if each side had its own images.
    """

    name: str
    base: float | None
    head: float | None
    difference: float | None
    error: float | None
    is_bound: bool


def compare(differences: Differences, models: Paired | None) -> list[Metric]:
    """Return all metrics except those of single classes.

    Args:
        models: both networks over the same test images; none if they cannot be compared.
    """
    rows = []
    for path, found in sorted(differences.items()):
        name = path.removeprefix("metrics/").removesuffix(".json")
        for key, sides in sorted(found.items()):
            if "per_class." in key or key.endswith("_standard_error"):
                continue
            values = (sides.get(side) for side in ("old", "new", "diff"))
            errors = found.get(f"{key}_standard_error", {})
            is_bound = None not in (errors.get("old"), errors.get("new"))
            error = hypot(errors["old"], errors["new"]) if is_bound else None
            if models is not None and (name, key) == ("test", "accuracy"):
                error, is_bound = _paired_error(models), False
            rows.append(Metric(f"{name}: {key}", *values, error, is_bound))
    return rows


def _paired_error(models: Paired) -> float:
    """Return the standard error of a difference of accuracies over the same images."""
    gained, lost = models.only_head / models.images, models.only_base / models.images
    return sqrt((gained + lost - (gained - lost) ** 2) / models.images)
