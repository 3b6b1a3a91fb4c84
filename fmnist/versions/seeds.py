"""The table of recipes under several seeds: what chance alone changes."""

import copy
import csv
import io
import statistics
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from fmnist.pipeline.lock_file import Stage
from fmnist.stage import files
from fmnist.stage.command import InputError
from fmnist.train import decisive

PATH = Path("metrics/seeds.csv")
MEASURED = ("preprocess", "train", "evaluate")  # the stages that decide the metrics


@dataclass(frozen=True)
class Row:
    """One run: metrics of the saved weights, and a key of all that decided them but the seed.

    ``flip_accuracy`` is that of the mean of images and their mirror images, if it is measured.
    """

    recipe: str
    seed: int
    accuracy: float
    loss: float
    val_accuracy: float
    val_loss: float
    flip_accuracy: float | None
    key: str


def key(stages: dict[str, Stage]) -> str:
    """Return a hash of the inputs that a dvc.lock records for the stages that decide the metrics.

    The seed and the network, which depends on it, are left out: all seeds of a recipe have one
    key. A row with another key is of other parameters, code, data or package versions.
    """
    outputs = {file.path for name in MEASURED for file in stages[name].outs if name != "preprocess"}
    return decisive.key(
        [
            [
                name,
                stages[name].cmd,
                sorted([dep.path, dep.md5] for dep in stages[name].deps if dep.path not in outputs),
                _without_seed(stages[name].params),
            ]
            for name in MEASURED
        ]
    )


def _without_seed(params: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    values = copy.deepcopy(params)
    values.get("params.yaml", {}).get("train", {}).pop("seed", None)
    return values


def read(path: Path = PATH) -> list[Row]:
    """Return the rows of the table; none if there is no such file.

    Raises:
        InputError: the file is not such a table; says where.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    names = [field.name for field in fields(Row)]
    reader = csv.DictReader(io.StringIO(text))
    rows: dict[tuple[str, int, str], Row] = {}
    try:
        for line in reader:
            row = _row(line)
            if not (0 <= row.accuracy <= 1 and 0 <= row.val_accuracy <= 1):
                raise ValueError(f"accuracies {row.accuracy}, {row.val_accuracy}")
            if rows.setdefault((row.recipe, row.seed, row.key), row) is not row:
                raise ValueError(f"seed {row.seed} twice")
        if not text.endswith("\n"):
            raise ValueError("the last line cut")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: line {reader.line_num}: expected {', '.join(names)}, found: {error};"
            " delete the file and run `make seeds`"
        ) from None
    return list(rows.values())


def _row(line: dict[str, str]) -> Row:
    flip = line.get("flip_accuracy")  # which older tables lack
    return Row(
        line["recipe"],
        int(line["seed"]),
        *(float(line[name]) for name in ("accuracy", "loss", "val_accuracy", "val_loss")),
        float(flip) if flip else None,
        str(line["key"]),
    )


def added(rows: list[Row], new: Row) -> list[Row]:
    """Return the table with a new row, without the rows of its recipe that have another key."""
    return [
        row
        for row in rows
        if row.recipe != new.recipe or (row.key == new.key and row.seed != new.seed)
    ] + [new]


def write(rows: list[Row], path: Path = PATH) -> None:
    """Write the table, sorted by recipe and seed."""
    names = [field.name for field in fields(Row)]
    ordered = sorted(rows, key=lambda row: (row.recipe, row.seed))
    files.write_rows(path, [dict(zip(names, astuple(row), strict=True)) for row in ordered])


@dataclass(frozen=True)
class Spread:
    """Figures of ``count`` seeds: mean and sample standard deviation (none for one seed)."""

    count: int
    mean: float
    deviation: float | None

    def __str__(self) -> str:
        if self.deviation is None:
            return f"{self.mean:.4f} (one seed)"
        return f"{self.mean:.4f} ± {self.deviation:.4f} (mean ± sd of {self.count} seeds)"


def spread(figures: list[float]) -> Spread:
    """Summarize at least one figure."""
    deviation = statistics.stdev(figures) if len(figures) > 1 else None
    return Spread(len(figures), statistics.fmean(figures), deviation)
