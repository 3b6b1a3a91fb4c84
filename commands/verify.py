"""Rebuild a committed revision from nothing, and compare every artifact with its dvc.lock.

Reads       a Git revision; with --stage its recorded inputs, from DVC's cache or remote
Writes      nothing that stays
Exit code   0 identical or within tolerance, 1 different, 2 could not run
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from fmnist import command, contract
from fmnist.command import InputError
from versions import environment, lock_file
from versions.checkout import Checkout
from versions.drift import drift
from versions.lock_file import Stage

IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"
NOT_REBUILT, NOT_COMPARED = "not rebuilt", "not compared"

Stages = dict[str, Stage]


@dataclass(frozen=True)
class Row:
    """One thing that was compared: a stage's output, or an input that is not as recorded."""

    stage: str
    what: str
    recorded: str
    found: str
    verdict: str
    is_output: bool = True


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.verify")
    parser.add_argument("--rev", default="HEAD", help="Git revision (default: %(default)s)")
    parser.add_argument("--stage", help="only this stage, from its recorded inputs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fmnist-verify-") as folder:
        checkout = Checkout.clone(Path(folder, "rebuilt"), arguments.rev)
        print(environment.describe(checkout.commit), flush=True)
        recorded = checkout.stages()
        rows = _inputs_not_as_recorded(checkout, recorded)
        rebuilt = _rebuild(checkout, recorded, arguments.stage)
        rows += _outputs(recorded, rebuilt)
        if arguments.stage is not None:
            rows = [row for row in rows if row.stage == arguments.stage]
        unmet = contract.unmet()
        if unmet and all(row.is_output for row in rows):
            original = Checkout.clone(Path(folder, "recorded"), checkout.commit)
            rows = [_as_numbers(row, original, checkout) for row in rows]
    return _report(rows, list(recorded), unmet)


def _inputs_not_as_recorded(checkout: Checkout, recorded: Stages) -> list[Row]:
    """Return a row for each committed file, parameter or recorded hash that cannot be right."""
    rows = [
        Row(found.stage, f"{found.what} (committed)", found.recorded, found.found, DIFFERENT, False)
        for found in drift(checkout.folder, recorded, checkout.environment)
    ]
    outputs = {file.path: file.md5 for stage in recorded.values() for file in stage.outs}
    for name, stage in recorded.items():
        rows += [
            Row(name, f"{file.path} (as input)", file.md5, outputs[file.path], DIFFERENT, False)
            for file in stage.deps
            if outputs.get(file.path, file.md5) != file.md5
        ]
    return rows


def _rebuild(checkout: Checkout, recorded: Stages, stage: str | None) -> Stages:
    """Run every stage, or one; return what ran, as dvc.lock has it afterwards."""
    checkout.install()
    if stage is None:
        (checkout.folder / lock_file.PATH).unlink()
        checkout.run("dvc", "repro")
        ran = checkout.folder / lock_file.PATH
        return lock_file.read(ran) if ran.exists() else {}
    if stage not in recorded:
        raise InputError(f"--stage: expected one of {', '.join(recorded)}, found {stage!r}")
    outputs = {file.path for other in recorded.values() for file in other.outs}
    inputs = [file.path for file in recorded[stage].deps if file.path in outputs]
    if inputs and not checkout.pull(*inputs):
        raise InputError(
            f"{stage}: expected its recorded inputs in the cache or a remote, found not all of"
            f" {', '.join(inputs)}; `dvc pull` them, or verify all stages"
        )
    if not checkout.run("dvc", "repro", "--single-item", "--force", stage):
        return {}
    return {stage: checkout.stages()[stage]}


def _outputs(recorded: Stages, rebuilt: Stages) -> list[Row]:
    rows = []
    for name, stage in recorded.items():
        found = {file.path: file.md5 for file in rebuilt[name].outs} if name in rebuilt else {}
        for file in stage.outs:
            md5 = found.get(file.path, "")
            verdict = IDENTICAL if md5 == file.md5 else DIFFERENT if md5 else NOT_REBUILT
            rows.append(Row(name, file.path, file.md5, md5, verdict))
    return rows


def _as_numbers(row: Row, original: Checkout, rebuilt: Checkout) -> Row:
    """Compare an output whose bytes differ by its numbers."""
    from versions import tolerance  # NumPy, which few verifications need

    if row.verdict != DIFFERENT:
        return row
    path = original.folder / row.what
    if not path.exists() and not original.pull(row.what):
        return replace(row, verdict=f"{NOT_COMPARED}: the recorded file is not available")
    found = tolerance.compare(path, rebuilt.folder / row.what)
    if found is None:
        return replace(row, verdict=f"{NOT_COMPARED}: drawn from the others")
    near, how = found
    return replace(row, verdict=f"{WITHIN if near else DIFFERENT}: {how}")


def _report(rows: list[Row], order: list[str], unmet: list[str]) -> int:
    """Print the table and the verdict; return the exit code."""
    rows = sorted(rows, key=lambda row: order.index(row.stage))
    table = [("stage", "artifact", "recorded", "rebuilt", "verdict")]
    table += [(row.stage, row.what, row.recorded, row.found, row.verdict) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    print()
    for line in table:
        print("  ".join(map(str.ljust, line, widths)).rstrip())
    print()
    for reason in unmet:
        print(f"The contract does not promise equal bytes here: {reason}")
    different = [row for row in rows if row.verdict.startswith(DIFFERENT)]
    if different:
        first = different[0].stage
        causes = [row.what for row in different if row.stage == first and not row.is_output]
        why = f"not as recorded: {', '.join(causes)}" if causes else "though its inputs agree"
        print(f"{DIFFERENT}: first in {first}, {why}")
        return 1
    if any(row.verdict == NOT_REBUILT for row in rows):
        print("could not run: see above why a stage failed")
        return 2
    print(IDENTICAL if all(row.verdict == IDENTICAL for row in rows) else WITHIN)
    return 0


if __name__ == "__main__":
    command.run(main)
