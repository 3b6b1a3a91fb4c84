"""Rebuild a committed revision from scratch, and compare every artifact with its dvc.lock.

Reads       a Git revision; with --stage its recorded inputs, from DVC's cache or remote
Writes      nothing that stays
Exit code   0 identical or within tolerance, 1 different, 2 could not run
"""

import argparse
import collections
import tempfile
from pathlib import Path

from fmnist.pipeline import lock_file, machine
from fmnist.stage import command, contract, yaml_file
from fmnist.stage.command import InputError
from fmnist.versions.checkout import Checkout
from fmnist.versions.verification import (
    DIFFERENT,
    IDENTICAL,
    NOT_COMPARED,
    NOT_REBUILT,
    WITHIN,
    Row,
    Stages,
    as_numbers,
    inputs_not_as_recorded,
    outputs,
)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.verify")
    parser.add_argument("--rev", default="HEAD", help="Git revision (default: %(default)s)")
    parser.add_argument("--stage", help="only this stage, from its recorded inputs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fmnist-verify-", ignore_cleanup_errors=True) as folder:
        checkout = Checkout.create(Path(folder, "rebuilt"), arguments.rev)
        recorded = checkout.stages()
        if arguments.stage not in {None, *recorded}:
            known = ", ".join(recorded)
            raise InputError(f"--stage: expected one of {known}, found {arguments.stage!r}")
        print(machine.describe(checkout.commit), flush=True)
        rows = list(inputs_not_as_recorded(checkout, recorded))
        rows += outputs(recorded, _rebuild(checkout, recorded, arguments.stage))
        if arguments.stage is not None:
            rows = [row for row in rows if row.stage == arguments.stage]
        unmet = contract.unmet()
        if unmet and not any(row.is_input for row in rows):
            original = Checkout.create(Path(folder, "recorded"), checkout.commit)
            rows = [as_numbers(row, original, checkout) for row in rows]
        graph = list(yaml_file.load(checkout.folder / "dvc.yaml")["stages"])
    order = {name: number for number, name in enumerate(graph)}
    return _report(sorted(rows, key=lambda row: order.get(row.stage, len(order))), unmet)


def _rebuild(checkout: Checkout, recorded: Stages, stage: str | None) -> Stages:
    """Run every stage, or one; return what ran, as dvc.lock has it afterwards."""
    checkout.install()
    path = checkout.folder / lock_file.PATH
    if stage is None:
        path.unlink()
        checkout.dvc("repro")
        return lock_file.read(path) if path.exists() else {}
    written = lock_file.outs(recorded)
    inputs = [file.path for file in recorded[stage].deps if file.path in written]
    if inputs and not checkout.pull(*inputs):
        raise InputError(
            f"{stage}: expected its recorded inputs in the cache or a remote, found not all of"
            f" {', '.join(inputs)}; `dvc pull` them, or verify all stages"
        )
    if not checkout.dvc("repro", "--single-item", "--force", stage):
        return {}
    return {stage: checkout.stages()[stage]}


def _report(rows: list[Row], unmet: list[str]) -> int:
    """Print the table and the verdict; return the exit code."""
    table = [("stage", "artifact", "recorded", "rebuilt", "verdict")]
    for row in rows:
        verdict = f"{row.verdict}: {row.detail}" if row.detail else row.verdict
        table.append((row.stage, row.what, row.recorded, row.found, verdict))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print()
    for line in table:
        print("  ".join(map(str.ljust, line, widths)).rstrip())
    print()
    for reason in unmet:
        print(f"The contract does not promise equal bytes here: {reason}")
    count = collections.Counter(row.verdict for row in rows)
    if DIFFERENT in count:
        first = next(row.stage for row in rows if row.verdict == DIFFERENT)
        causes = [row.what for row in rows if row.stage == first and row.is_input]
        why = f"not as recorded: {', '.join(causes)}" if causes else "though its inputs agree"
        print(f"{DIFFERENT}: first in {first}, {why}")
        return 1
    if NOT_REBUILT in count:
        print("could not run: the messages above say why a stage failed")
        return 2
    if NOT_COMPARED in count:
        print(f"{WITHIN}; {NOT_COMPARED}: {count[NOT_COMPARED]} of {len(rows)}")
    else:
        print(WITHIN if WITHIN in count else IDENTICAL)
    return 0


if __name__ == "__main__":
    command.run(main)
