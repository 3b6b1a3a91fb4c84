"""Pins of packages, and the lock files that hold them."""

import re
import tomllib

import pytest
from projects import ROOT, STAGES, pin_groups

GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
LOCKS = {path.stem: path.read_text() for path in sorted((ROOT / "requirements").iterdir())}


def test_pins_that_decide_results_are_exact():
    for group in set().union(*map(pin_groups, STAGES)):
        for pin in GROUPS[group]:
            assert pin.count("==") == 1, pin
            # One version for all Pythons: no marker behind it.
            assert f"\n{pin} \\\n" in LOCKS["main"], pin


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address_and_hashes_everything(name):
    assert "://" not in LOCKS[name]
    entries = [block for block in LOCKS[name].split("\n") if "==" in block]
    assert len(entries) > 5
    assert all(entry.endswith("\\") for entry in entries)


def test_every_pin_is_in_the_lock_of_its_group():
    for group, pins in GROUPS.items():
        lock = LOCKS.get(group, LOCKS["main"])
        for pin in pins:
            locked = re.sub(r"\[.+\]", "", pin)  # without extras
            assert f"\n{locked} \\\n" in lock, pin


def test_all_locks_agree_so_that_they_fit_into_one_environment():
    agreed: dict[str, set[str]] = {}
    for lock, text in LOCKS.items():
        pins: dict[str, set[str]] = {}
        for name, version in re.findall(r"^(\S+)==(\S+)", text, re.MULTILINE):
            pins.setdefault(name, set()).add(version)
        for name, versions in pins.items():
            assert agreed.setdefault(name, versions) == versions, f"{name} in {lock}"
