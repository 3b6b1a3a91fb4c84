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
from versions import lock_file, seeds
from versions.checkout import Checkout, git
from versions.drift import drift


class Gate(Parameters):
    """``[tool.fmnist.gate]`` of pyproject.toml; a floor's key is ``<file>: <dotted key>``."""

    level: Annotated[float, Field(gt=0, lt=1)]
    floors: dict[Annotated[str, Field(pattern=r"^metrics/\w+\.json: \S+$")], float]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.gate")
    parser.add_argument("--base", default="main", help="revision to compare with (default: main)")
    base = parser.parse_args().base
    settings = _settings()
    reasons = [
        f"{found.stage}: {found.what}: dvc.lock has {found.recorded}, found {found.found};"
        " `make repro`, and commit what it changes"
        for found in drift(Path(), lock_file.read())
    ]
    reasons += _below_floors(settings.floors)
    with tempfile.TemporaryDirectory(prefix="fmnist-gate-") as folder:
        other = Checkout.clone(Path(folder, "base"), git("merge-base", base, "HEAD"))
        reasons += _worse(seeds.current(other.folder), seeds.current(Path()), settings.level)
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


def _worse(base: list[seeds.Row], head: list[seeds.Row], level: float) -> list[str]:
    """Compare the seeds of two revisions, say the result, and return a reason if head is worse."""
    if {row.key for row in base} == {row.key for row in head} != set():
        print("The change cannot reach any figure: its seeds are those of the base")
        return []
    if min(len(base), len(head)) < 2:
        print(
            f"Better or worse is not known: seeds: base {len(base)}, here {len(head)}; `make seeds`"
        )
        return []
    from versions.significance import between_seeds  # SciPy

    found = between_seeds([row.accuracy for row in base], [row.accuracy for row in head])
    text = (
        f"accuracy {found.difference:+.4f} (95 % interval {found.low:+.4f} to {found.high:+.4f},"
        f" p {found.p_value:.2g}; seeds: base {len(base)}, here {len(head)})"
    )
    verdict = found.verdict(level)
    print(f"The change is {verdict}: {text}")
    return [f"worse than the base beyond noise: {text}"] if verdict == "worse" else []


if __name__ == "__main__":
    command.run(main)
