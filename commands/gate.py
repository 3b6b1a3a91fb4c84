"""Refuse a change that is worse beyond noise, or whose results are not those of its code.

Reads       this checkout, and another revision; no data
Exit code   0, 1 with a line for each reason, 2 if it could not run
"""

import argparse
import tempfile
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from fmnist import command, files, parameters, pins
from fmnist.command import InputError
from fmnist.parameters import Parameters
from versions.change import judge
from versions.checkout import Checkout
from versions.drift import drift
from versions.version import Version, where_main_was_left


class Gate(Parameters):
    """``[tool.fmnist.gate]`` of pyproject.toml; a floor's key is ``<file>: <dotted key>``."""

    level: Annotated[float, Field(gt=0, lt=1)]
    floors: dict[Annotated[str, Field(pattern=r"^metrics/\w+\.json: \S+$")], float]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.gate")
    parser.add_argument("--base", help="revision (default: where this branch left main)")
    revision = parser.parse_args().base or where_main_was_left()
    settings = _settings()
    head = Version.read(Path(), "this checkout")
    reasons = [
        f"{found.stage}: {found.what}: dvc.lock has {found.recorded}, found {found.found};"
        " `make repro`, and commit what it changes"
        for found in drift(head.folder, head.stages)
    ]
    reasons += _below_floors(settings.floors)
    with tempfile.TemporaryDirectory(prefix="fmnist-gate-") as folder:
        checkout = Checkout.clone(Path(folder, "base"), revision)
        found = judge(Version.read(checkout.folder, revision), head, settings.level)
    print(f"This change: {found}")
    if found.verdict == "worse":
        reasons.append(f"worse than the base beyond noise: {found.reason}")
    for reason in reasons:
        print(f"refused: {reason}")
    return 1 if reasons else 0


def _settings() -> Gate:
    tool = tomllib.loads(pins.PATH.read_text(encoding="utf-8")).get("tool", {})
    section = tool.get("fmnist", {}).get("gate", {})
    return parameters.validate(section, Gate, "tool.fmnist.gate", source=pins.PATH)


def _below_floors(floors: dict[str, float]) -> list[str]:
    reasons = []
    for where, floor in floors.items():
        path, _, key = where.partition(": ")
        figure: Any = files.read_json(Path(path))
        for part in key.split("."):
            if not isinstance(figure, dict) or part not in figure:
                raise InputError(f"{pins.PATH}: tool.fmnist.gate.floors: {where}: no such figure")
            figure = figure[part]
        if not figure >= floor:
            reasons.append(f"{where}: expected at least {floor}, found {figure}")
    return reasons


if __name__ == "__main__":
    command.run(main)
