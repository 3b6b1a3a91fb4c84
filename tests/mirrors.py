"""Small files to fetch, a mirror and projects for them, and checks of what a fetch leaves."""

import gzip
import hashlib
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
import yaml
from programs import call, commit, run
from projects import copy_project, make_small, set_value

from fmnist.fetch import Download, Hashes

RAW_FILES = [field.alias for field in Hashes.model_fields.values()]
CONTENT = {name: f"content of {name}".encode() * 1000 for name in RAW_FILES}
HASHES = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
FIRST = RAW_FILES[0]
LIMIT = 64 << 20  # more than plain MNIST's 47,040,016 bytes


def settings(*mirrors: str, **changes: object) -> Download:
    values = {
        "mirrors": list(mirrors),
        "connect_timeout": 10,
        "read_timeout": 10,
        "retries": 1,
        "size_limit": 1_000_000,
    }
    return Download.model_validate(values | changes)


def bomb(size: int) -> bytes:
    """Return a gzip file of ``size`` zeros, which repeats one compressed MiB."""
    deflate = zlib.compressobj(wbits=-15)
    block = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + block * (size >> 20) + deflate.flush() + bytes(8)


@pytest.fixture
def good(tmp_path) -> str:
    """A mirror that has everything, uncompressed."""
    folder = tmp_path / "good"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder.as_uri()


def check_kept(kept: Path) -> None:
    """Check that the folder of downloads has verified content and nothing else."""
    for path in kept.iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


SECTIONS = {
    "fetch": {"sha256": HASHES},
    "download": settings("file:///nowhere", size_limit=LIMIT, read_timeout=1).model_dump(),
}


@pytest.fixture
def empty_project(tmp_path) -> Path:
    """A folder with the parameters for files of `CONTENT`, in which `fetch` can run."""
    project = tmp_path / "a project"
    project.mkdir()
    (project / "params.yaml").write_text(yaml.safe_dump(SECTIONS))
    return project


@pytest.fixture
def copied_project(tmp_path) -> Path:
    """A copy of the project before its first run, with the parameters for files of `CONTENT`."""
    project = copy_project(tmp_path / "a project")
    for name, section in SECTIONS.items():
        set_value(project, name, section)
    return project


def fetch(project: Path, *mirrors: str) -> subprocess.CompletedProcess[str]:
    """Run the stage in this process."""
    set_value(project, "download.mirrors", list(mirrors))
    return call(project, "stages.fetch")


def fetch_in_own_process(project: Path, *mirrors: str) -> subprocess.CompletedProcess[str]:
    """Run the stage in a process that may write no file larger than `LIMIT`."""
    limited = "prlimit", f"--fsize={LIMIT}", "python", "-m", "stages.fetch"
    return run(project, *limited, FMNIST_MIRRORS=" ".join(mirrors))


def files_of(project: Path) -> dict[str, bytes]:
    """Return the content of everything under data/raw and the kept downloads, by name."""
    folders = project / "data" / "raw", project / ".downloads"
    return {
        path.name: path.read_bytes() if path.is_file() else b""
        for folder in folders
        for path in folder.rglob("*")
    }


ALL_RIGHT = CONTENT | {HASHES[name]: content for name, content in CONTENT.items()}


@pytest.fixture
def measured_project(tmp_path, mirror, monkeypatch) -> Path:
    """A committed project with small raw files and no results, which is the current folder."""
    project = make_small(copy_project(tmp_path / "small"), mirror)
    shutil.copytree(mirror, project / "data" / "raw")
    commit(project)
    monkeypatch.chdir(project)
    return project
