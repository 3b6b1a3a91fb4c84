"""The Debian or Ubuntu archive as a mirror."""

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mirrors import ALL_RIGHT, CONTENT, FIRST, HASHES, check_kept, fetch, files_of, settings
from programs import PATH
from projects import ROOT

from fmnist.fetch import Download, Fetch
from fmnist.fetch.download import download
from fmnist.stage import parameters
from fmnist.stage.command import InputError


def program(folder: Path, name: str, text: str) -> str:
    """Write a shell script; return a PATH that finds it first."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}")
    (folder / name).chmod(0o755)
    return f"{folder}:{PATH}"


@pytest.mark.parametrize("missing", ["apt-get", "setpriv"])
def test_a_missing_program_is_reported(good, tmp_path, monkeypatch, missing):
    for name in {"apt-get", "setpriv"} - {missing}:
        program(tmp_path / "programs", name, "")
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    said: list[str] = []
    download(HASHES, settings("apt:dataset-fashion-mnist", good), tmp_path / "kept", said.append)
    assert said[0] == (
        f"mirror failed: apt:dataset-fashion-mnist: {FIRST}: this machine has no {missing}"
    )


def test_the_last_line_of_a_failed_command_is_the_reason(good, tmp_path, monkeypatch):
    text = "echo 'W: a warning' >&2; echo 'E: no such package' >&2; exit 100"
    monkeypatch.setenv("PATH", program(tmp_path / "programs", "apt-get", text))
    said: list[str] = []
    download(
        HASHES, settings("apt:one", "apt:one", "apt:two", good), tmp_path / "kept", said.append
    )
    assert said[:3] == [
        f"mirror failed: apt:{package}: {FIRST}: apt-get failed: E: no such package"
        for package in ("one", "one", "two")
    ]
    check_kept(tmp_path / "kept")


def test_a_killed_stage_leaves_no_process_behind_and_the_next_run_removes_its_files(
    server, copied_project, tmp_path
):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    text = f"echo unfinished >package.deb; exec 3>'{fifo}'; echo begun >&3; exec sleep 60"
    path = program(tmp_path / "programs", "apt-get", text)
    with os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)) as written:
        stage = subprocess.Popen(
            [sys.executable, "-m", "stages.fetch"],
            cwd=copied_project,
            env=os.environ | {"PATH": path, "FMNIST_MIRRORS": "apt:dataset-fashion-mnist"},
        )
        assert select.select([written], [], [], 30)[0], "apt-get did not start"
        assert written.readline() == "begun\n"
        stage.kill()
        stage.wait()
        # The FIFO reaches its end when no process has it open for writing any more.
        assert select.select([written], [], [], 30)[0], "apt-get outlived the stage"
        assert written.read() == ""
    assert list((copied_project / ".downloads").rglob("package.deb"))
    server.files = {f"/data/{name}": content for name, content in CONTENT.items()}
    assert fetch(copied_project, server.address).returncode == 0
    assert files_of(copied_project) == ALL_RIGHT


@pytest.mark.slow
def test_the_real_data_come_from_the_debian_archive(tmp_path, monkeypatch):
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get on this machine")
    monkeypatch.chdir(ROOT)
    hashes = parameters.read("fetch", Fetch).sha256.model_dump(by_alias=True)
    real = parameters.read("download", Download)
    only_apt = real.model_copy(update={"mirrors": ["apt:dataset-fashion-mnist"]})
    kept = tmp_path / "a folder"
    try:
        paths = download(hashes, only_apt, kept)
    except InputError as error:
        pytest.skip(f"the archive cannot be reached: {error}")
    assert paths.keys() == hashes.keys()
    check_kept(kept)
