"""Rebuild a committed revision from scratch, and compare every artifact with its dvc.lock.

Reads       a Git revision; with --stage its recorded inputs, from DVC's cache or remote
Writes      nothing that stays, or with --record a line of docs/machines.csv and its table
Exit code   0 identical or within tolerance, 1 different, 2 could not run
"""

import argparse
import collections
import tempfile
from pathlib import Path

from fmnist.pipeline import lock_file, machine
from fmnist.stage import command, contract, yaml_file
from fmnist.stage.command import InputError
from fmnist.versions import ledger
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
    first_other_epoch,
    inputs_not_as_recorded,
    outputs,
)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.verify")
    parser.add_argument("--rev", default="HEAD", help="Git revision (default: %(default)s)")
    parser.add_argument("--stage", help="only this stage, from its recorded inputs")
    parser.add_argument("--record", action="store_true", help=f"add a line to {ledger.PATH}")
    arguments = parser.parse_args()
    if arguments.record and arguments.stage:
        raise InputError("--record: expected all stages to be verified, found --stage")
    with tempfile.TemporaryDirectory(prefix="fmnist-verify-", ignore_cleanup_errors=True) as folder:
        checkout = Checkout.create(Path(folder, "rebuilt"), arguments.rev)
        recorded = checkout.stages()
        if arguments.stage not in {None, *recorded}:
            known = ", ".join(recorded)
            raise InputError(f"--stage: expected one of {known}, found {arguments.stage!r}")
        print(machine.describe(checkout.commit), flush=True)
        recorded_history = _history(checkout)
        rows = list(inputs_not_as_recorded(checkout, recorded))
        rows += outputs(recorded, _rebuild(checkout, recorded, arguments.stage))
        if arguments.stage is not None:
            rows = [row for row in rows if row.stage == arguments.stage]
        reasons = contract.unmet()
        if reasons and not any(row.is_input for row in rows):
            original = Checkout.create(Path(folder, "recorded"), checkout.commit)
            rows = [as_numbers(row, original, checkout) for row in rows]
        rebuilt_history = _history(checkout)
        graph = list(yaml_file.load(checkout.folder / "dvc.yaml")["stages"])
    order = {name: number for number, name in enumerate(graph)}
    rows.sort(key=lambda row: order.get(row.stage, len(order)))
    epoch = first_other_epoch(recorded_history, rebuilt_history)
    status, verdict = _report(rows, reasons, epoch)
    if arguments.record and status != 2:
        ledger.record(ledger.entry(checkout.commit, verdict, rebuilt_history))
    return status


def _history(checkout: Checkout) -> str:
    """Return the history of its training; nothing if it has none."""
    path = checkout.folder / "plots/history.csv"
    return path.read_text(encoding="utf-8") if path.exists() else ""


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


def _report(rows: list[Row], reasons: list[str], epoch: str | None) -> tuple[int, str]:
    """Print the table and the verdict; return the exit code and the verdict."""
    table = [("stage", "artifact", "recorded", "rebuilt", "verdict")]
    for row in rows:
        verdict = f"{row.verdict}: {row.detail}" if row.detail else row.verdict
        table.append((row.stage, row.what, row.recorded, row.found, verdict))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print()
    for line in table:
        print("  ".join(map(str.ljust, line, widths)).rstrip())
    print()
    for reason in reasons:
        print(f"The contract does not promise equal bytes here: {reason}")
    count = collections.Counter(row.verdict for row in rows)
    if DIFFERENT in count:
        first = next(row.stage for row in rows if row.verdict == DIFFERENT)
        causes = [row.what for row in rows if row.stage == first and row.is_input]
        why = f"not as recorded: {', '.join(causes)}" if causes else "though its inputs agree"
        since = f"; the trainings differ from epoch {epoch} on" if epoch else ""
        print(f"{DIFFERENT}: first in {first}, {why}{since}")
        return 1, DIFFERENT
    if NOT_REBUILT in count:
        print("could not run: the messages above say why a stage failed")
        return 2, NOT_REBUILT
    if NOT_COMPARED in count:
        print(f"{WITHIN}; {NOT_COMPARED}: {count[NOT_COMPARED]} of {len(rows)}")
        return 0, WITHIN
    verdict = WITHIN if WITHIN in count else IDENTICAL
    print(verdict)
    return 0, verdict


if __name__ == "__main__":
    command.run(main)
