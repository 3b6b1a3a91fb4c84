"""The archive of packages that a machine is set up for as a mirror."""

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATH, ROOT
from mirrors import ALL_RIGHT, CONTENT, FIRST, check_kept, fetch, files_of, settings

from fmnist.stage import parameters
from fmnist.stage.command import InputError
from fmnist.fetch.download import download
from fmnist.fetch import Fetch


def program(folder: Path, name: str, text: str) -> str:
    """Make a program of the shell; return a PATH with it first."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}")
    (folder / name).chmod(0o755)
    return f"{folder}:{PATH}"


@pytest.mark.parametrize("missing", ["apt-get", "setpriv"])
def test_a_machine_without_the_programs_of_the_archive_is_a_mirror_that_fails(
    good, tmp_path, monkeypatch, missing
):
    for name in {"apt-get", "setpriv"} - {missing}:
        program(tmp_path / "programs", name, "")
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    said: list[str] = []
    download(settings("apt:dataset-fashion-mnist", good), tmp_path / "kept", said.append)
    assert said[0] == (
        f"mirror failed: apt:dataset-fashion-mnist: {FIRST}: this machine has no {missing}"
    )


def test_what_the_archive_says_last_is_the_reason(good, tmp_path, monkeypatch):
    text = "echo 'W: a warning' >&2; echo 'E: no such package' >&2; exit 100"
    monkeypatch.setenv("PATH", program(tmp_path / "programs", "apt-get", text))
    said: list[str] = []
    download(settings("apt:one", "apt:one", "apt:two", good), tmp_path / "kept", said.append)
    assert said[:3] == [
        f"mirror failed: apt:{package}: {FIRST}: apt-get failed: E: no such package"
        for package in ("one", "one", "two")
    ]
    check_kept(tmp_path / "kept")


def test_a_killed_run_leaves_no_program_behind_and_the_next_run_clears_up(
    server, empty_project, tmp_path
):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    text = f"echo unfinished >package.deb; exec 3>'{fifo}'; echo begun >&3; exec sleep 60"
    path = program(tmp_path / "programs", "apt-get", text)
    with os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)) as written:
        stage = subprocess.Popen(
            [sys.executable, "-m", "stages.fetch"],
            cwd=empty_project,
            env=os.environ | {"PATH": path, "FMNIST_MIRRORS": "apt:dataset-fashion-mnist"},
        )
        assert select.select([written], [], [], 30)[0], "apt-get was not run"
        assert written.readline() == "begun\n"
        stage.kill()
        stage.wait()
        # The end of the file comes when the last program that could write to it has ended.
        assert select.select([written], [], [], 30)[0], "apt-get outlived the stage"
        assert written.read() == ""
    assert list((empty_project / ".downloads").rglob("package.deb"))
    server.files = {f"/data/{name}": content for name, content in CONTENT.items()}
    assert fetch(empty_project, server.address).returncode == 0
    assert files_of(empty_project) == ALL_RIGHT


@pytest.mark.slow
def test_the_real_data_come_from_the_debian_archive(tmp_path, monkeypatch):
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get on this machine")
    monkeypatch.chdir(ROOT)
    real = parameters.read("fetch", Fetch)
    only_apt = real.model_copy(update={"mirrors": ["apt:dataset-fashion-mnist"]})
    kept = tmp_path / "a folder"
    try:
        paths = download(only_apt, kept)
    except InputError as error:
        pytest.skip(f"the archive of packages is out of reach: {error}")
    assert paths.keys() == real.sha256.model_dump(by_alias=True).keys()
    check_kept(kept)
