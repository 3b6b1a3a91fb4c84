"""Options of pytest, the processes that tests share, and fixtures.

The option ``-p stages`` in pyproject.toml applies the numeric contract before this is imported.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import filelock
import fork_server
import pytest
from programs import dvc, git
from projects import ROOT, copy_project, make_small
from tiny_data import pixels

from fmnist.preprocess import idx

pytest_plugins = ["mirrors", "web_server"]  # which define fixtures too

# In a Git hook, variables name the user's repository. His settings act on every repository.
for name in git(ROOT, "rev-parse", "--local-env-vars").split():
    os.environ.pop(name, None)
# In `make test`, variables make a test's own make a part of that one, which prints its folders.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)
os.environ |= {"GIT_CONFIG_GLOBAL": f"{ROOT}/tests/gitconfig", "GIT_CONFIG_NOSYSTEM": "1"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option with which `make check` leaves out what trains."""
    parser.addoption("--no-runs", action="store_true", help="leave out what runs the pipeline")


def pytest_configure(config: pytest.Config) -> None:
    """Start TensorFlow where tests run, and beside it the fork server that all of them share."""
    runs_tests = hasattr(config, "workerinput") or not config.getoption("numprocesses")
    if not hasattr(config, "workerinput"):
        site = tempfile.mkdtemp(prefix="dvc-site-cache-")  # instead of one that stays in /var/tmp
        atexit.register(shutil.rmtree, site, ignore_errors=True)
        os.environ["DVC_SITE_CACHE_DIR"] = site
        if not config.getoption("--no-runs"):
            fork_server.start()
    if runs_tests:
        from fmnist.network import tensorflow_contract  # seconds

        tensorflow_contract.apply(threads=2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs the pipeline, if asked to."""
    if config.getoption("--no-runs"):
        items[:] = [item for item in items if "mirror" not in item.fixturenames]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """End a failing `make check` with what is left to do: the message of each failed test."""
    reports = [
        report for kind in ("failed", "error") for report in terminalreporter.getreports(kind)
    ]
    if reports and config.getoption("--no-runs"):
        terminalreporter.section("to do (`python -m pytest <test>` shows more)")
        for report in reports:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = crash.message if crash else str(report.longrepr)
            terminalreporter.line(f"{report.nodeid}:")
            # Without Python's name of the error, and the condition after a message of our own.
            message = message.removeprefix("AssertionError: ").removeprefix("Failed: ")
            for line in message.partition("\nassert ")[0].splitlines():
                terminalreporter.line(f"    {line.removeprefix('  ')}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that makes a folder once for all worker processes of this session.

    It takes a name, and a function that fills the folder it is given.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder = shared / name
        with filelock.FileLock(shared / f"{name}.lock"):
            if not folder.exists():
                part = shared / f"{name}.part"
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                fill(part)
                part.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def mirror(made_once: Callable[..., Path]) -> Path:
    """A folder with the four raw files, small: 60 training and 20 test images."""

    def fill(folder: Path) -> None:
        for part, count, seed in (("train", 60, 1), ("t10k", 20, 2)):
            images, labels = pixels(count, seed)
            (folder / f"{part}-images-idx3-ubyte").write_bytes(idx.encode(images))
            (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx.encode(labels))

    return made_once("mirror", fill)


@pytest.fixture(scope="session")
def reproduced(made_once: Callable[..., Path], mirror: Path) -> Path:
    """The project after `dvc repro` on the small data. Do not change it: use `project`."""
    return made_once(
        "reproduced", lambda folder: dvc(make_small(copy_project(folder), mirror), "repro")
    )


@pytest.fixture
def project(reproduced: Path, tmp_path: Path) -> Path:
    """A copy of `reproduced` to work in."""
    return Path(shutil.copytree(reproduced, tmp_path / "project", symlinks=True))
