"""Kills at any moment: the next `make repro` goes on, to the bytes of an undisturbed run."""

import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from conftest import STAGES, copy_project, dvc, files_below, make_small, run, set_value, start

PATIENCE = 120  # seconds after which a test has failed
TARGETS = ("process group", "dvc", "stage")
SHELLS = ("/bin/sh", "/bin/bash")  # which stays between DVC and the stage, and which does not


@pytest.fixture(scope="module", autouse=True)
def _made() -> None:
    """`make repro` takes the environment that runs these tests, if `make` installed it."""
    if not Path(sys.prefix, "requirements.lock").exists():
        pytest.skip("needs an environment that `make install` has made")


def new_project(folder: Path, mirror: Path) -> Path:
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    return make_small(copy_project(folder), mirror)


def make_repro(folder: Path) -> str:
    """Run `make repro`, which must succeed; return what it prints."""
    result = run(folder, "make", "repro")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class Repro:
    """A running `dvc repro`, in a process group of its own."""

    def __init__(
        self, folder: Path, shell: str = SHELLS[0], stage: str = "", **environment: str
    ) -> None:
        self.process = start(folder, "dvc", "repro", *stage.split(), SHELL=shell, **environment)
        self.lines: list[str] = []
        self.started = {stage: threading.Event() for stage in STAGES}
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            for stage in STAGES:
                if line.startswith(f"Running stage '{stage}'"):
                    self.started[stage].set()

    def kill(self, target: str, signal_number: int = signal.SIGKILL) -> None:
        """Send a signal to one of `TARGETS`, and wait until nobody is left who could write."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        stages = [process for process in family if _is_stage(process)]
        if target == "process group":
            os.killpg(self.process.pid, signal_number)
        else:
            victim = stages[-1] if target == "stage" and stages else self.process
            victim.send_signal(signal_number)
        self.wait()
        _, alive = psutil.wait_procs(family, timeout=30)
        assert not alive, f"still running after a kill of the {target}: {alive}"

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        status = self.process.wait(PATIENCE)
        self._reader.join()
        self.process.stdout.close()
        return status


def _is_stage(process: psutil.Process) -> bool:
    try:
        return any(part.startswith("stages.") for part in process.cmdline())
    except psutil.Error:  # it has just ended
        return False


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, mirror) -> Iterator[dict[str, tuple[Path, float]]]:
    """For each stage the project just before it, and the seconds that the stage takes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    project = new_project(folder / "project", mirror)
    before = {}
    for stage in STAGES:
        copy = shutil.copytree(project, folder / f"before {stage}", symlinks=True)
        repro = Repro(project, stage=stage)
        assert repro.started[stage].wait(PATIENCE), repro.lines
        start = time.monotonic()
        assert repro.wait() == 0, repro.lines
        before[stage] = (copy, time.monotonic() - start)
    before[""] = (project, 0.0)
    yield before
    shutil.rmtree(folder)
    assert sum(HIT) >= 0.7 * len(HIT), "most of these runs had ended before they were killed"


def check_like_undisturbed(folder: Path, undisturbed: Path) -> None:
    assert (folder / "dvc.lock").read_bytes() == (undisturbed / "dvc.lock").read_bytes()
    own = ".git", ".venv", "__pycache__", "tmp", "runs"  # bytecode, and notes of Git and DVC
    assert files_below(folder, *own) == files_below(undisturbed, *own)
    assert dvc(folder, "status").strip() == "Data and pipelines are up to date."


MOMENTS = random.Random(20)
KILLS = [
    (stage, round(MOMENTS.random(), 3), TARGETS[number % 3], SHELLS[number % 2])
    for number, stage in enumerate(STAGES * 4)
]


HIT: list[bool] = []  # for each of them, whether the run had not ended before


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "moment", "target", "shell"), KILLS)
def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(
    stage, moment, target, shell, undisturbed, tmp_path, monkeypatch
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    before, seconds = undisturbed[stage]
    folder = Path(shutil.copytree(before, tmp_path / "project", symlinks=True))
    repro = Repro(folder, shell)
    assert repro.started[stage].wait(PATIENCE), repro.lines
    time.sleep(moment * seconds)
    HIT.append(repro.process.poll() is None)
    if HIT[-1]:
        repro.kill(target)
    else:
        repro.wait()
    make_repro(folder)
    check_like_undisturbed(folder, undisturbed[""][0])
    assert list((tmp_path / "temporary").iterdir()) == []


# Runs at the start of each stage: waits after each file that it has not seen before.
HOLD = """
import hashlib, os, pathlib, sys, time
if any(part.startswith("stages.") for part in sys.orig_argv):
    folder = pathlib.Path(os.environ["HOLD"])
    replace = pathlib.Path.replace

    def held(self, target):
        result = replace(self, target)
        content = hashlib.sha256(target.read_bytes()).hexdigest()
        seen = folder / hashlib.sha256(f"{target}{content}".encode()).hexdigest()
        if not seen.exists():
            seen.write_text(str(target))
            (folder / "now").touch()
            time.sleep(600)
        return result

    pathlib.Path.replace = held
"""


def held_repro(folder: Path, hold: Path, number: int = 0) -> Repro | None:
    """Start a run, and wait until it has written a new file; None if it ended without one."""
    (hold / "seen").mkdir(parents=True, exist_ok=True)
    (hold / "sitecustomize.py").write_text(HOLD)
    now = hold / "seen" / "now"
    now.unlink(missing_ok=True)
    repro = Repro(folder, SHELLS[number % 2], PYTHONPATH=str(hold), HOLD=str(hold / "seen"))
    deadline = time.monotonic() + PATIENCE
    while not now.exists():
        if repro.process.poll() is not None:
            assert repro.wait() == 0, repro.lines
            return None
        assert time.monotonic() < deadline, repro.lines
        time.sleep(0.02)
    return repro


@pytest.mark.slow
def test_a_run_killed_right_after_every_file_goes_on_to_the_same_bytes(
    undisturbed, tmp_path, mirror
):
    folder = new_project(tmp_path / "project", mirror)
    hold = tmp_path / "hold"
    kills = 0
    while (repro := held_repro(folder, hold, kills)) is not None:
        repro.kill(TARGETS[kills % 3])
        kills += 1
    written = [Path(seen.read_text()) for seen in (hold / "seen").iterdir() if seen.stat().st_size]
    assert len(written) == kills
    graph = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    outs = {Path(out["path"]) for stage in graph.values() for out in stage["outs"]}
    assert outs <= set(written)
    assert sum(path.parent.name == ".downloads" for path in written) == 4
    assert sum(path.parent.name == ".checkpoints" for path in written) == 3
    make_repro(folder)
    check_like_undisturbed(folder, undisturbed[""][0])


def append(folder: Path, file: str) -> None:
    with (folder / file).open("a") as source:
        source.write("# changed\n")


def split_otherwise(folder: Path) -> None:
    set_value(folder, "preprocess.split", "random")
    result = run(folder, "python", "-m", "stages.preprocess")
    assert result.returncode == 0, result.stderr


CHANGES = {
    "nothing": lambda folder: None,
    "the seed": lambda folder: set_value(folder, "train.seed", 7),
    "the recipe": lambda folder: set_value(folder, "recipes.mlp.epochs", 4),
    "the data": split_otherwise,
    "the library": lambda folder: append(folder, "fmnist/train/epoch.py"),
    "the stage": lambda folder: append(folder, "stages/train.py"),
    "a recipe that is not chosen": lambda folder: set_value(folder, "recipes.cnn.epochs", 4),
    "code of another stage": lambda folder: append(folder, "fmnist/plot/canvas.py"),
}
HARMLESS = ("nothing", "a recipe that is not chosen", "code of another stage")


@pytest.fixture(scope="module")
def unfinished(undisturbed, tmp_path_factory) -> Path:
    """The project with a training that was killed after its first epoch."""
    folder = tmp_path_factory.mktemp("unfinished")
    before, _ = undisturbed["train"]
    project = Path(shutil.copytree(before, folder / "project", symlinks=True))
    held_repro(project, folder / "hold").kill("process group")
    assert len(list((project / ".checkpoints").iterdir())) == 1
    return project


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_training_goes_on_only_if_nothing_that_decides_it_has_changed(
    change, unfinished, tmp_path
):
    folder = Path(shutil.copytree(unfinished, tmp_path / "project", symlinks=True))
    CHANGES[change](folder)
    result = run(folder, "python", "-m", "stages.train")
    assert result.returncode == 0, result.stderr
    if change in HARMLESS:
        assert "it goes on\nepoch 2/3" in result.stdout
        assert not (folder / ".checkpoints").exists()
    else:
        assert result.stdout.startswith("epoch 1/")


@pytest.mark.slow
def test_a_half_written_lock_file_and_stale_locks_are_named_and_mended(undisturbed, tmp_path):
    project = undisturbed[""][0]
    folder = Path(shutil.copytree(project, tmp_path / "project", symlinks=True))
    whole = (folder / "dvc.lock").read_bytes()
    (folder / "dvc.lock").write_bytes(whole[:8192])  # what Python writes at once
    holder = {"pid": os.getpid(), "cmd": "/usr/bin/dvc repro"}  # another process has its number
    locks = {"write": {str(folder / "models" / "model.keras"): holder}, "read": {}}
    (folder / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(locks))
    said = make_repro(folder)
    assert "mended: dvc.lock: " in said
    assert "mended: .dvc/tmp/rwlock names no process of DVC that is alive; removed" in said
    assert "Running stage" not in said
    check_like_undisturbed(folder, project)


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_go_on_and_does(undisturbed, tmp_path):
    hold = tmp_path / "hold"
    before, _ = undisturbed["train"]
    folder = Path(shutil.copytree(before, tmp_path / "project", symlinks=True))
    repro = held_repro(folder, hold)
    repro.kill("process group", signal.SIGINT)
    assert repro.process.returncode != 0
    assert "interrupted: run the same command again to go on; finished" in "".join(repro.lines)
    make_repro(folder)
    check_like_undisturbed(folder, undisturbed[""][0])
