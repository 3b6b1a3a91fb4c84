"""Refuse a change that is worse beyond noise, or whose results are not those of its code.

Reads       this checkout, and another revision; no data
Exit code   0, 1 with a line for each reason, 2 if it could not run
"""

import argparse
import tempfile
from pathlib import Path

from fmnist import command, files
from versions import gate, nested, seeds
from versions.change import judge, other_results
from versions.checkout import Checkout, where_main_was_left
from versions.drift import drift
from versions.version import Version


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.gate")
    parser.add_argument("--base", help="revision (default: where this branch left main)")
    revision = parser.parse_args().base or where_main_was_left()
    settings = gate.settings()
    head = Version.read(Path(), "this checkout")
    with tempfile.TemporaryDirectory(prefix="fmnist-gate-") as folder:
        base = Version.read(Checkout.clone(Path(folder, "base"), revision).folder, revision)
        not_run = drift(head.folder, head.stages)
        change = judge(base, head, not_run, settings.level)
    print(f"This change: {change}")

    reasons = [
        f"{found.stage}: {found.what}: dvc.lock has {found.recorded}, found {found.found};"
        " `make repro`, and commit what it changes"
        for found in not_run
    ]
    reasons += [
        f"{stage}: its inputs are those of the base, its results are not; `make verify`"
        for stage in other_results(base, head)
    ]
    reasons += _below_floors(settings.floors) + _seeds_against_metrics(head)
    if change.verdict == "worse":
        reasons.append(f"worse than the base beyond noise: {change.reason}")
    for reason in reasons:
        print(f"refused: {reason}")
    return 1 if reasons else 0


def _below_floors(floors: dict[str, float]) -> list[str]:
    reasons = []
    for where, floor in floors.items():
        path, _, key = where.partition(": ")
        figure = nested.get(files.read_json(Path(path)), key)
        if not isinstance(figure, int | float) or not figure >= floor:
            reasons.append(f"{where}: expected at least {floor}, found {figure}")
    return reasons


def _seeds_against_metrics(head: Version) -> list[str]:
    """Compare the row of the seed that dvc.lock is of with its metrics."""
    accuracy = nested.get(files.read_json(Path("metrics/test.json")), "accuracy")
    return [
        f"metrics/seeds.csv: seed {head.seed}: expected the accuracy of metrics/test.json,"
        f" {accuracy}, found {row.accuracy}; `make seeds`"
        for row in seeds.read()
        if (row.key, row.seed) == (head.key, head.seed) and row.accuracy != accuracy
    ]


if __name__ == "__main__":
    command.run(main)
