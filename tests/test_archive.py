"""Zip files."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from projects import ROOT

from fmnist.dataset import archive

WRITE = """
import sys
from pathlib import Path
from fmnist.dataset import archive
entries = {"b.txt": b"second", "a": b"x" * 100_000}
archive.write(
    Path(sys.argv[1]),
    {name: lambda file, content=content: file.write(content) for name, content in entries.items()},
)
"""
GOLDEN = "73f81ad689e7ba93102ed11b8ee1ffb40e76c56f0ca0613528e55a351e9b13e1"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(path: Path, python: str = sys.executable) -> None:
    subprocess.run([python, "-B", "-c", WRITE, path], cwd=ROOT, check=True)


def test_the_bytes_of_a_zip_file_are_the_known_ones(tmp_path):
    write(tmp_path / "z.zip")
    assert digest(tmp_path / "z.zip") == GOLDEN


def other_pythons() -> list[Path]:
    """Return Pythons of other versions beside this one, as pyenv and uv install them."""
    own = Path(sys.base_prefix)
    found = own.parent.glob("*/bin/python3.1[1-9]")
    return [path for path in found if path.parent.parent != own and not path.is_symlink()]


def test_other_pythons_write_the_same_bytes(tmp_path):
    others = other_pythons()
    if not others:
        pytest.skip("no other version of Python beside this one")
    for number, python in enumerate(others):
        path = tmp_path / f"{number}.zip"
        write(path, str(python))
        assert digest(path) == GOLDEN, python


def test_a_failed_write_leaves_the_file_that_was_there(tmp_path):
    path = tmp_path / "z.zip"
    write(path)
    with pytest.raises(ZeroDivisionError):
        archive.write(path, {"a": lambda file: 1 / 0})
    assert digest(path) == GOLDEN
    assert [p.name for p in tmp_path.iterdir()] == ["z.zip"]


def test_entries_are_stored_and_undated(tmp_path):
    write(tmp_path / "z.zip")
    with zipfile.ZipFile(tmp_path / "z.zip") as file:
        assert [info.filename for info in file.infolist()] == ["b.txt", "a"]
        for info in file.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert not info.extra
