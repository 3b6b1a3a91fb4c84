"""Rebuild a committed revision from nothing, and compare every artifact with its dvc.lock.

Reads       a Git revision; with --stage its recorded inputs, from DVC's cache or remote
Writes      nothing that stays
Exit code   0 identical or within tolerance, 1 different, 2 could not run
"""

import argparse
import collections
import graphlib
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
    """One thing that was compared.

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


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.verify")
    parser.add_argument("--rev", default="HEAD", help="Git revision (default: %(default)s)")
    parser.add_argument("--stage", help="only this stage, from its recorded inputs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fmnist-verify-", ignore_cleanup_errors=True) as folder:
        checkout = Checkout.clone(Path(folder, "rebuilt"), arguments.rev)
        recorded = checkout.stages()
        if arguments.stage not in {None, *recorded}:
            known = ", ".join(recorded)
            raise InputError(f"--stage: expected one of {known}, found {arguments.stage!r}")
        print(environment.describe(checkout.commit), flush=True)
        rows = _inputs_not_as_recorded(checkout, recorded)
        rebuilt = _rebuild(checkout, recorded, arguments.stage)
        rows += _outputs(recorded, rebuilt)
        if arguments.stage is not None:
            rows = [row for row in rows if row.stage == arguments.stage]
        unmet = contract.unmet()
        if unmet and not any(row.is_input for row in rows):
            original = Checkout.clone(Path(folder, "recorded"), checkout.commit)
            rows = [_as_numbers(row, original, checkout) for row in rows]
    order = _order(recorded | rebuilt)
    return _report(sorted(rows, key=lambda row: order.index(row.stage)), unmet)


def _inputs_not_as_recorded(checkout: Checkout, recorded: Stages) -> list[Row]:
    """Return a row for each committed file, parameter or recorded hash that cannot be right."""
    return [
        Row(found.stage, f"{found.what} (committed)", found.recorded, found.found, DIFFERENT, True)
        for found in drift(checkout.folder, recorded, checkout.environment)
        if found.stage in recorded
    ]


def _rebuild(checkout: Checkout, recorded: Stages, stage: str | None) -> Stages:
    """Run every stage, or one; return what ran, as dvc.lock has it afterwards."""
    checkout.install()
    path = checkout.folder / lock_file.PATH
    if stage is None:
        path.unlink()
        checkout.run("dvc", "repro")
        return lock_file.read(path) if path.exists() else {}
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
    for name in recorded | rebuilt:
        before, after = (
            {file.path: file.md5 for file in stages[name].outs} if name in stages else {}
            for stages in (recorded, rebuilt)
        )
        for path in before | after:
            pair = before.get(path, "none"), after.get(path, "none")
            verdict = IDENTICAL if pair[0] == pair[1] else DIFFERENT
            rows.append(Row(name, path, *pair, verdict if name in rebuilt else NOT_REBUILT))
    return rows


def _as_numbers(row: Row, original: Checkout, rebuilt: Checkout) -> Row:
    """Compare an output whose bytes differ by its numbers."""
    from versions import tolerance  # NumPy, which few verifications need

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


def _order(stages: Stages) -> list[str]:
    """Return the stages, each behind those whose outputs it reads."""
    writer = {file.path: name for name, stage in stages.items() for file in stage.outs}
    graph = {
        name: [writer[file.path] for file in stage.deps if file.path in writer]
        for name, stage in stages.items()
    }
    return list(graphlib.TopologicalSorter(graph).static_order())


def _report(rows: list[Row], unmet: list[str]) -> int:
    """Print the table and the verdict; return the exit code."""
    table = [("stage", "artifact", "recorded", "rebuilt", "verdict")]
    for row in rows:
        verdict = f"{row.verdict}: {row.detail}" if row.detail else row.verdict
        table.append((row.stage, row.what, row.recorded, row.found, verdict))
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
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
        print("could not run: see above why a stage failed")
        return 2
    if NOT_COMPARED in count:
        print(f"{WITHIN}; {NOT_COMPARED}: {count[NOT_COMPARED]} of {len(rows)}")
    else:
        print(WITHIN if WITHIN in count else IDENTICAL)
    return 0


if __name__ == "__main__":
    command.run(main)
