"""The ledger of machines, and the table that is made from it."""

from pathlib import Path

import pytest
from projects import ROOT

from fmnist.stage.command import InputError
from fmnist.versions import ledger

HISTORY = "epoch,loss,weights\n1,0.5,0a\n2,0.4,1b\n"
PAGE = f"Before\n\n{ledger.BEGIN}\n\nold\n\n{ledger.END}\n\nAfter\n"


def test_every_verification_adds_a_line_and_a_row(tmp_path):
    path, page = tmp_path / "machines.csv", tmp_path / "contract.md"
    page.write_text(PAGE)
    for commit in ("1234567890", "abcdef0123"):
        ledger.record(ledger.entry(commit, "identical", HISTORY), path, page)
    first, second = ledger.read(path)
    assert (first.commit, second.commit) == ("1234567", "abcdef0")
    assert (first.verdict, first.network) == ("identical", "1b")
    rows = page.read_text().splitlines()
    assert [row.split(" | ")[1] for row in rows if row.startswith("| 2")] == ["1234567", "abcdef0"]
    assert (rows[0], rows[-1]) == ("Before", "After")
    assert "old" not in rows


def test_a_history_of_an_earlier_version_is_refused():
    with pytest.raises(InputError, match=r"^1234: expected weights in its plots/history.csv"):
        ledger.entry("1234", "identical", "epoch,loss\n1,0.5\n")


def test_an_arm_processor_is_named_by_its_numbers(monkeypatch):
    lines = {"Features": "fp asimd asimddp", "CPU implementer": "0x41", "CPU part": "0xd0b"}
    monkeypatch.setattr("fmnist.stage.contract.cpuinfo", lambda: lines)
    found = ledger.entry("1234", "identical", HISTORY)
    assert (found.processor, found.instruction_sets) == ("ARM 0x41 0xd0b", "asimd asimddp")


def test_a_damaged_ledger_is_refused(tmp_path):
    path = tmp_path / "machines.csv"
    path.write_text("date,commit\n2026-01-01,1234567\n")
    with pytest.raises(InputError, match=r"machines.csv: expected rows of date, commit, processor"):
        ledger.read(path)


def test_the_documents_show_the_ledger_and_the_network_of_the_committed_run():
    entries = ledger.read(ROOT / ledger.PATH)
    page = (ROOT / ledger.PAGE).read_text()
    assert page == ledger.with_table(page, entries)
    network = (ROOT / "plots/history.csv").read_text().split(",")[-1].strip()
    assert f"`{network}`" in (ROOT / "README.md").read_text(), (
        "README.md: the network's hash is old"
    )


def test_without_a_ledger_there_are_no_entries():
    assert ledger.read(Path("no/such/file.csv")) == []
