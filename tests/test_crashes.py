"""Kills at any moment: the next run resumes, and ends with the bytes of an undisturbed run."""

import json
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from programs import call, dvc, dvc_status, run, start
from projects import STAGES, copy_project, files_below, make_small, set_value

from fmnist.stage import yaml_file
from fmnist.stage.lifecycle import INTERRUPTED_MESSAGE
from fmnist.train import Train
from fmnist.train.decisive import training_key
from fmnist.train.recipe import Recipe

PATIENCE = 120  # seconds after which a test has failed
TARGETS = ("process group", "dvc", "stage")
SHELLS = ("/bin/sh", "/bin/bash")  # one stays between DVC and the stage, the other does not


def new_project(folder: Path, mirror: Path) -> Path:
    folder.mkdir()
    return make_small(copy_project(folder), mirror)


def recover(folder: Path, stage: str = "") -> str:
    """Run what `make repro` runs, which must succeed; return what it prints.

    If a kill cut dvc.lock, the check is missing in it, and no other stage depends on that. It comes
    first in dvc.lock; given two stages at once, DVC may run them in either order.
    """
    repaired = call(folder, "commands.repair")
    assert repaired.returncode == 0, repaired.stderr
    runs = [["check"], [stage]] if stage else [[]]
    return repaired.stdout + "".join(dvc(folder, "repro", *targets) for targets in runs)


class Repro:
    """A running `dvc repro`, in a process group of its own."""

    def __init__(
        self, folder: Path, shell: str = SHELLS[0], stage: str = "", **environment: str
    ) -> None:
        # The program `dvc` would take neither the shell nor packages from the environment.
        command = (sys.executable, "-m", "dvc", "repro", *stage.split())
        self.process = start(folder, *command, SHELL=shell, **environment)
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
        """Send a signal to one of `TARGETS`, and wait until no process is left that could write."""
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
    """The project just before each stage, and the seconds that the stage takes; at last its end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    project = new_project(folder / "project", mirror)
    dvc(project, "repro", "check")
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
    assert dvc_status(folder) == dvc_status(undisturbed)


MOMENTS = random.Random(20)
KILLS = [
    (stage, round(MOMENTS.random(), 3), TARGETS[number % 3], SHELLS[number % 2])
    for number, stage in enumerate(STAGES * 4)
]


HIT: list[bool] = []  # for each of them, whether the run had not ended before


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "moment", "target", "shell"), KILLS)
def test_a_stage_killed_at_any_moment_runs_again_to_the_same_bytes(
    stage, moment, target, shell, undisturbed, tmp_path, monkeypatch
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    before, seconds = undisturbed[stage]
    folder = Path(shutil.copytree(before, tmp_path / "project", symlinks=True))
    repro = Repro(folder, shell, stage)
    assert repro.started[stage].wait(PATIENCE), repro.lines
    time.sleep(moment * seconds)
    HIT.append(repro.process.poll() is None)
    if HIT[-1]:
        repro.kill(target)
    else:
        repro.wait()
    recover(folder, stage)
    after = [*STAGES, ""][STAGES.index(stage) + 1]
    check_like_undisturbed(folder, undisturbed[after][0])
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
def test_a_run_killed_right_after_every_file_ends_with_the_same_bytes(
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
    graph = yaml_file.load(folder / "dvc.lock")["stages"]
    outs = {Path(out["path"]) for stage in graph.values() for out in stage.get("outs", [])}
    assert outs <= set(written)
    assert sum(path.parent.name == ".downloads" for path in written) == 4
    assert sum(path.parent.name == ".checkpoints" for path in written) == 3
    recover(folder)
    check_like_undisturbed(folder, undisturbed[""][0])


def append(folder: Path, file: str) -> None:
    with (folder / file).open("a") as source:
        source.write("# changed\n")


def split_otherwise(folder: Path) -> None:
    set_value(folder, "preprocess.split", "random")
    assert call(folder, "stages.preprocess").returncode == 0


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
def test_a_checkpoint_is_found_only_if_nothing_that_decides_the_training_has_changed(
    change, unfinished, tmp_path, monkeypatch
):
    folder = Path(shutil.copytree(unfinished, tmp_path / "project", symlinks=True))
    CHANGES[change](folder)
    monkeypatch.chdir(folder)
    values = yaml_file.load(Path("params.yaml"))
    recipe = Recipe.model_validate(values["recipes"]["mlp"])
    key = training_key([Train.model_validate(values["train"]).seed, recipe.model_dump()])
    assert (folder / ".checkpoints" / key).exists() == (change in HARMLESS)


@pytest.mark.slow
def test_a_training_resumes_only_its_own_checkpoint(unfinished, tmp_path):
    for name, changes, first in (
        ("other", ["the seed"], "epoch 1/3"),
        ("same", HARMLESS, "Resuming unfinished training\nepoch 2/3"),
    ):
        folder = Path(shutil.copytree(unfinished, tmp_path / name, symlinks=True))
        for change in changes:
            CHANGES[change](folder)
        result = run(folder, "python", "-m", "stages.train")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(first)
        assert (folder / ".checkpoints").exists() == (name == "other")


@pytest.mark.slow
def test_make_repro_repairs_a_half_written_lock_file_and_stale_locks(undisturbed, tmp_path):
    if not Path(sys.prefix, "main.lock").exists():
        pytest.skip("needs an environment that `make install` has made")
    project = undisturbed[""][0]
    folder = Path(shutil.copytree(project, tmp_path / "project", symlinks=True))
    whole = (folder / "dvc.lock").read_bytes()
    (folder / "dvc.lock").write_bytes(whole[:8192])  # what Python writes at once
    holder = {"pid": os.getpid(), "cmd": "/usr/bin/dvc repro"}  # another process has its number
    locks = {"write": {str(folder / "models" / "model.keras"): holder}, "read": {}}
    (folder / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(locks))
    (folder / ".venv").symlink_to(sys.prefix)
    result = run(folder, "make", "repro")
    (folder / ".venv").unlink()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "repaired: dvc.lock: " in result.stdout
    assert (
        "repaired: .dvc/tmp/rwlock names no process of DVC that is alive; removed" in result.stdout
    )
    assert re.findall("Running stage '(.+)'", result.stdout) == ["check"]
    check_like_undisturbed(folder, project)


@pytest.mark.slow
def test_an_interrupted_run_prints_how_to_resume_and_resumes(undisturbed, tmp_path):
    hold = tmp_path / "hold"
    before, _ = undisturbed["train"]
    folder = Path(shutil.copytree(before, tmp_path / "project", symlinks=True))
    repro = held_repro(folder, hold)
    repro.kill("process group", signal.SIGINT)
    assert repro.process.returncode != 0
    assert INTERRUPTED_MESSAGE in "".join(repro.lines)
    recover(folder)
    check_like_undisturbed(folder, undisturbed[""][0])
