"""Refuse a change that is worse beyond noise, or whose results are not those of its code.

Reads       this checkout and another revision, but no data; [tool.fmnist.gate] of pyproject.toml
Exit code   0, 1 with a line for each reason, 2 if it could not run
"""

import argparse
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from fmnist.dataset import pins
from fmnist.pipeline import graph
from fmnist.stage import command, dotted, files, parameters
from fmnist.versions import base as base_revision
from fmnist.versions import seeds
from fmnist.versions.change import NOT_KNOWN, judge, other_results
from fmnist.versions.checkout import Checkout
from fmnist.versions.drift import drift
from fmnist.versions.version import Version


class Gate(parameters.Schema):
    """The section of pyproject.toml; a floor's key is ``<file>: <dotted key>``."""

    floors: dict[Annotated[str, Field(pattern=r"^metrics/\w+\.json: \S+$")], float]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.gate")
    parser.add_argument("--base", help="revision (default: where this branch left main)")
    revision = base_revision.choose(parser.parse_args().base)
    project = tomllib.loads(pins.PATH.read_text(encoding="utf-8"))
    section = dotted.get(project, "tool.fmnist.gate")
    settings = parameters.validate(section, Gate, "tool.fmnist.gate", source=pins.PATH)
    head = Version.read(Path(), "this checkout")
    with tempfile.TemporaryDirectory(prefix="fmnist-gate-") as folder:
        base = Version.read(Checkout.create(Path(folder, "base"), revision).folder, revision)
        not_run = drift(head.folder, head.stages)
        change = judge(base, head, not_run)
    print(f"This change: {change}")

    reasons = [
        *graph.check(),
        *(
            f"{found.stage}: {found.what}: dvc.lock has {found.recorded}, found {found.found};"
            " run `make repro` and commit what it changes"
            for found in not_run
        ),
        *(
            f"{stage}: its inputs are those of the base, its results are not; run `make verify`"
            for stage in other_results(base, head)
        ),
        *_below_floors(settings.floors),
        *_seeds_against_metrics(head),
    ]
    if change.verdict == "worse":
        reasons.append(f"worse than the base beyond noise: {change.reason}")
    for reason in reasons:
        print(f"refused: {reason}")
    if not reasons:
        unknown = f", effect unknown: {change.reason}" if change.verdict == NOT_KNOWN else ""
        print(f"passed{unknown}")
    return 1 if reasons else 0


def _below_floors(floors: dict[str, float]) -> Iterator[str]:
    for where, floor in floors.items():
        path, _, key = where.partition(": ")
        figure = dotted.get(files.read_json(Path(path)), key)
        if not isinstance(figure, int | float) or not figure >= floor:
            yield f"{where}: expected at least {floor}, found {figure}"


def _seeds_against_metrics(head: Version) -> Iterator[str]:
    """Compare the row of the seed that dvc.lock records with its metrics."""
    accuracy = dotted.get(files.read_json(Path("metrics/test.json")), "accuracy")
    for row in seeds.read():
        if (row.key, row.seed) == (head.key, head.seed) and row.accuracy != accuracy:
            yield (
                f"{seeds.PATH}: seed {head.seed}: expected the accuracy of metrics/test.json,"
                f" {accuracy}, found {row.accuracy}; run `make seeds`"
            )


if __name__ == "__main__":
    command.run(main)
