"""Pins of packages, and the lock files that hold them."""

import re
import tomllib

import pytest
from conftest import ROOT, STAGES, pin_groups

GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))


def test_pins_that_decide_results_are_exact():
    lock = (ROOT / "requirements.lock").read_text()
    for group in set().union(*map(pin_groups, STAGES)):
        for pin in GROUPS[group]:
            assert pin.count("==") == 1, pin
            # One version for all Pythons: no marker behind it.
            assert f"\n{pin} \\\n" in lock, pin


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address_and_hashes_everything(lock):
    text = (ROOT / lock).read_text()
    assert "://" not in text
    entries = [block for block in text.split("\n") if "==" in block]
    assert len(entries) > 5
    assert all(entry.endswith("\\") for entry in entries)


def test_every_pin_is_in_the_lock_of_its_group():
    for group, pins in GROUPS.items():
        added = f"requirements-{group}.lock"
        lock = (ROOT / (added if added in LOCKS else "requirements.lock")).read_text()
        for pin in pins:
            locked = re.sub(r"\[.+\]", "", pin)  # without extras
            assert f"\n{locked} \\\n" in lock, pin


def test_all_locks_agree_so_that_they_fit_into_one_environment():
    agreed: dict[str, set[str]] = {}
    for lock in LOCKS:
        pins: dict[str, set[str]] = {}
        for name, version in re.findall(r"^(\S+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
            pins.setdefault(name, set()).add(version)
        for name, versions in pins.items():
            assert agreed.setdefault(name, versions) == versions, f"{name} in {lock}"
