"""Compare artifacts as numbers, where a machine cannot give the same bytes.

How far results differ was measured with an instruction set and a number of threads outside the
contract; see ``docs/contract.md``.
"""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fmnist.stage.dotted import leaves

FIGURE = 0.03  # largest difference of any share or loss among metrics, and of the history
PREDICTED = 0.05  # share of test images with another predicted class
ARRAY = 0.02  # mean absolute difference of pixels or probabilities
WEIGHTS = 0.8  # distance of the weights of a layer, over their length


def compare(recorded: Path, rebuilt: Path) -> tuple[bool, str] | None:
    """Return whether two files of an artifact are near, and how near; None where there is no rule.

    Arrays of other shapes or names are not near.
    """
    rule = {".json": _figures, ".csv": _table, ".npz": _arrays, ".keras": _weights}
    if recorded.suffix not in rule:
        return None
    try:
        distance, limit, what = rule[recorded.suffix](recorded, rebuilt)
    except (ValueError, KeyError, IndexError, OSError, zipfile.BadZipFile) as error:
        return False, f"cannot be compared: {error}"
    return bool(distance <= limit), f"{what} {distance:.2g}, at most {limit:g}"


def _figures(recorded: Path, rebuilt: Path) -> tuple[float, float, str]:
    before, after = (_floats(json.loads(path.read_text())) for path in (recorded, rebuilt))
    return _largest(before, after), FIGURE, "largest difference"


def _table(recorded: Path, rebuilt: Path) -> tuple[float, float, str]:
    before, after = (list(csv.DictReader(io.StringIO(p.read_text()))) for p in (recorded, rebuilt))
    if "predicted" in before[0]:
        pairs = zip(before, after, strict=True)
        other = [a["predicted"] != b["predicted"] for a, b in pairs]
        return float(np.mean(other)), PREDICTED, "share of other predictions"
    columns = (
        {
            f"{row['epoch']} {name}": float(value)
            for row in rows
            for name, value in row.items()
            if name != "weights"
        }
        for rows in (before, after)
    )
    return _largest(*columns), FIGURE, "largest difference"


def _arrays(recorded: Path, rebuilt: Path) -> tuple[float, float, str]:
    with np.load(recorded) as before, np.load(rebuilt) as after:
        pairs = _pairs(dict(before), dict(after))
        distances = [np.abs(a.astype(np.float64) - b).mean() for a, b in pairs]
    return np.max(distances), ARRAY, "mean difference"


def _weights(recorded: Path, rebuilt: Path) -> tuple[float, float, str]:
    pairs = _pairs(_layers(recorded), _layers(rebuilt))
    distances = [np.linalg.norm(a - b) / (np.linalg.norm(a) or 1) for a, b in pairs]
    return np.max(distances), WEIGHTS, "largest distance of a layer"


def _layers(path: Path) -> dict[str, np.ndarray]:
    """Return each array of weights of the network's layers, under its name in the file."""
    found = {}

    def keep(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            found[name] = np.asarray(item)

    with (
        zipfile.ZipFile(path) as archive,
        h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file,
    ):
        file["layers"].visititems(keep)
    return found


def _floats(values: dict[str, Any]) -> dict[str, float]:
    """Return the metrics in nested mappings, without whole numbers: counts that shares repeat."""
    return {key: item for key, item in leaves(values).items() if isinstance(item, float)}


def _largest(before: dict[str, float], after: dict[str, float]) -> float:
    if before.keys() != after.keys():
        raise ValueError("other entries")
    return np.max([abs(before[name] - after[name]) for name in before])  # NaN, if any is


def _pairs(
    before: dict[str, np.ndarray], after: dict[str, np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    shapes = [{name: array.shape for name, array in arrays.items()} for arrays in (before, after)]
    if shapes[0] != shapes[1]:
        raise ValueError("other names or shapes")
    return [(before[name], after[name]) for name in before]
