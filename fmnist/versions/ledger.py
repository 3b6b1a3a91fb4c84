"""The ledger of machines: where a commit was rebuilt, and what came out."""

import csv
import datetime
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fmnist.pipeline import machine
from fmnist.stage import files
from fmnist.stage.command import InputError

PATH, PAGE = Path("docs/machines.csv"), Path("docs/contract.md")
BEGIN, END = "<!-- table of machines.csv -->", "<!-- end of the table -->"


@dataclass(frozen=True)
class Entry:
    """A rebuilt commit.

    Attributes:
        date: of the day, as in 2026-11-28.
        commit: the first 7 digits of its hash.
        instruction_sets: those by which numeric libraries choose code.
        cores: that the process may use.
        verdict: of ``make verify``.
        network: ``weights`` of the last epoch in the rebuilt ``plots/history.csv``.
    """

    date: str
    commit: str
    processor: str
    instruction_sets: str
    cores: int
    system: str
    python: str
    verdict: str
    network: str


def entry(commit: str, verdict: str, history: str) -> Entry:
    """Return an entry for this machine, today, and the rebuilt history as CSV.

    Raises:
        InputError: the history is of an earlier version, and does not name the weights.
    """
    facts = machine.facts()
    *_, last = csv.DictReader(io.StringIO(history))
    if "weights" not in last:
        raise InputError(f"{commit}: expected weights in its plots/history.csv, found none")
    return Entry(
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        commit[:7],
        str(facts["processor"]),
        str(facts["instruction sets"]),
        int(facts["usable cores"]),
        f"{facts['system']}, {facts['C library']}",
        str(facts["Python"]),
        verdict,
        last["weights"],
    )


def read(path: Path = PATH) -> list[Entry]:
    """Return all entries; none if there is no file.

    Raises:
        InputError: it is no ledger.
    """
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [field.name for field in fields(Entry)]
    if any(list(row) != names or None in row.values() for row in rows):
        raise InputError(f"{path}: expected rows of {', '.join(names)}, found other ones")
    return [Entry(**row | {"cores": int(row["cores"])}) for row in rows]


def record(new: Entry, path: Path = PATH, page: Path = PAGE) -> None:
    """Append an entry to the file, and update the table in the page."""
    entries = [*read(path), new]
    files.write_rows(path, [asdict(known) for known in entries])
    files.write_text(page, with_table(page.read_text(encoding="utf-8"), entries))


def with_table(text: str, entries: list[Entry]) -> str:
    """Return a page with the table of these entries between its two comments."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n\n{table(entries)}\n\n{end}{after}"


def table(entries: list[Entry]) -> str:
    """Return the entries as a table in Markdown."""
    lines = [
        "| date | commit | processor | cores | system | Python | verdict | network |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for of in entries:
        processor = f"{of.processor} ({of.instruction_sets})"
        cells = (
            *(of.date, of.commit, processor, of.cores, of.system, of.python, of.verdict),
            f"`{of.network}`",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
