"""A rebuilt revision against its dvc.lock, row by row."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from fmnist.pipeline.lock_file import Stage
from fmnist.versions import tolerance
from fmnist.versions.checkout import Checkout
from fmnist.versions.drift import drift

IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"
NOT_REBUILT, NOT_COMPARED = "not rebuilt", "not compared"

Stages = dict[str, Stage]


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        is_input: a committed file, parameter or command that is not as recorded; else an output.
        detail: how near the numbers of an output are, or why they were not compared.
    """

    stage: str
    what: str
    recorded: str
    found: str
    verdict: str
    is_input: bool = False
    detail: str = ""


def inputs_not_as_recorded(checkout: Checkout, recorded: Stages) -> Iterator[Row]:
    """Yield a row for each committed file, parameter or recorded hash that cannot be right."""
    for found in drift(checkout.folder, recorded, checkout.environment):
        if found.stage in recorded:
            what = f"{found.what} (committed)"
            yield Row(found.stage, what, found.recorded, found.found, DIFFERENT, is_input=True)


def outputs(recorded: Stages, rebuilt: Stages) -> Iterator[Row]:
    """Yield a row for each output of either side."""
    for name in recorded | rebuilt:
        before, after = (
            {file.path: file.md5 for file in stages[name].outs} if name in stages else {}
            for stages in (recorded, rebuilt)
        )
        for path in before | after:
            pair = before.get(path, "none"), after.get(path, "none")
            verdict = IDENTICAL if pair[0] == pair[1] else DIFFERENT
            yield Row(name, path, *pair, verdict if name in rebuilt else NOT_REBUILT)


def first_other_epoch(recorded: str, rebuilt: str) -> str | None:
    """Return the first epoch after which two trainings differ, by their histories as CSV."""
    histories = (csv.DictReader(io.StringIO(text)) for text in (recorded, rebuilt))
    pairs = zip_longest(*histories, fillvalue={})
    return next((a.get("epoch") or b["epoch"] for a, b in pairs if a != b), None)


def as_numbers(row: Row, original: Checkout, rebuilt: Checkout) -> Row:
    """Compare an output whose bytes differ by its numbers."""
    if row.verdict != DIFFERENT or "none" in (row.recorded, row.found):
        return row
    path = original.folder / row.what
    if not path.exists() and not original.pull(row.what):
        return replace(row, verdict=NOT_COMPARED, detail="the recorded file is not available")
    found = tolerance.compare(path, rebuilt.folder / row.what)
    if found is None:
        return replace(row, verdict=NOT_COMPARED, detail="drawn from the others")
    near, how = found
    return replace(row, verdict=WITHIN if near else DIFFERENT, detail=how)
