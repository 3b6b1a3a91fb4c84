"""Full disks, second runs at the same time, folders that cannot be written, tampered files."""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from programs import dvc, forking, run, start
from projects import set_value
from tiny_data import Sprung

pytestmark = pytest.mark.slow


def artifacts(project: Path) -> dict[str, str]:
    """Return the SHA-256 of everything that stages have written, by path."""
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("data", "models", "metrics", "plots")
        for path in (project / folder).rglob("*")
        if path.is_file()
    }


def error_of(result: subprocess.CompletedProcess[str]) -> str:
    """Return the one line with which a stage fails."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if "error" in line.lower()]
    return line


class Disk:
    """A small disk of its own, with the project on it."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self._ballast = folder / "ballast"

    def fill(self, spare: int) -> None:
        """Leave ``spare`` bytes, in pages of 4096."""
        free = shutil.disk_usage(self.project).free
        self._ballast.write_bytes(bytes(free - spare))

    def make_space(self) -> None:
        """Take away what fills the disk."""
        self._ballast.unlink()


@pytest.fixture
def disk(reproduced, tmp_path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = run(tmp_path, "mount", "-t", "tmpfs", "-o", "size=32m", "none", str(folder))
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        shutil.copytree(reproduced, folder / "project", symlinks=True)
        yield Disk(folder)
    finally:
        assert run(tmp_path, "umount", str(folder)).returncode == 0


@pytest.mark.parametrize(
    ("stage", "spare", "file"),
    [
        ("fetch", 8192, "data/raw/train-images-idx3-ubyte"),
        ("preprocess", 8192, "data/prepared/train.npz"),
        ("train", 8192, ".checkpoints/"),
        ("evaluate", 0, "data/predictions.npz"),
        ("plot", 61440, "plots/predictions.png"),
    ],
)
def test_a_full_disk_fails_with_its_file_and_harms_nothing(disk, stage, spare, file):
    before = artifacts(disk.project)
    disk.fill(spare)
    result = run(disk.project, "python", "-m", f"stages.{stage}")
    error = error_of(result)
    assert error.startswith(f"error: {file}")
    assert error.endswith(": No space left on device")
    assert artifacts(disk.project) == before  # no file in part among them
    disk.make_space()
    result = run(disk.project, "python", "-m", f"stages.{stage}")
    assert result.returncode == 0, result.stderr
    assert artifacts(disk.project) == before


def test_a_disk_that_fills_while_downloading_keeps_no_part_of_a_file(disk):
    shutil.rmtree(disk.project / ".downloads")
    disk.fill(8192)
    error = error_of(run(disk.project, "python", "-m", "stages.fetch"))
    assert error.startswith("error: .downloads/")
    assert error.endswith(": No space left on device")
    assert not list((disk.project / ".downloads").iterdir())
    disk.make_space()
    result = run(disk.project, "python", "-m", "stages.fetch")
    assert result.returncode == 0, result.stderr


def test_a_reproduction_resumes_once_there_is_space(disk, project):
    for folder in (project, disk.project):
        set_value(folder, "preprocess.normalize", "standardize")
    dvc(project, "repro", "preprocess")
    before = artifacts(disk.project)
    disk.fill(100 * 1024)
    result = run(disk.project, "dvc", "repro", "preprocess")
    assert result.returncode == 255
    path = disk.project / "data" / "prepared" / "train.npz"
    cache = disk.project / ".dvc" / "cache"
    assert f"No space left on device: '{path}' -> '{cache}/" in result.stderr
    assert "Traceback" not in result.stderr
    for name, sha256 in artifacts(disk.project).items():
        assert sha256 == before[name] or name.startswith("data/prepared/")
    disk.make_space()
    dvc(disk.project, "repro", "preprocess")
    assert artifacts(disk.project) == artifacts(project)
    assert (disk.project / "dvc.lock").read_bytes() == (project / "dvc.lock").read_bytes()


def test_a_training_that_dvc_could_not_record_is_recorded_without_another(project):
    set_value(project, "train.seed", 7)
    cache, aside = project / ".dvc" / "cache", project / "aside"
    cache.rename(aside)
    cache.touch()  # nothing can be put below a file
    result = run(project, "dvc", "repro", "--single-item", "train", **forking())
    assert result.returncode == 255
    assert "failed to reproduce 'train'" in result.stderr
    trained = (project / "models" / "model.keras").read_bytes()
    cache.unlink()
    aside.rename(cache)
    assert "epoch" not in dvc(project, "commit", "--force", "train")
    assert "didn't change, skipping" in dvc(project, "repro", "train")
    assert (project / "models" / "model.keras").read_bytes() == trained


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        ("fetch", "data/raw/train-images-idx3-ubyte"),
        ("preprocess", "data/prepared/train.npz"),
        ("train", ".checkpoints"),
        ("evaluate", "data/predictions.npz"),
        ("plot", "plots/accuracy.png"),
    ],
)
def test_each_stage_fails_with_the_file_that_it_cannot_write(read_only, project, stage, file):
    before = artifacts(project)
    result = read_only(project, "python", "-m", f"stages.{stage}")
    assert error_of(result) == f"error: {file}: Permission denied"
    assert artifacts(project) == before


@pytest.fixture
def read_only() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """A function that runs a command while a folder of the project cannot be written."""
    made: list[Path] = []
    # Modes do not hold for root; for root without this capability they do.
    drop = ["setpriv", "--bounding-set=-dac_override"] if os.getuid() == 0 else []

    def run_read_only(project, *command, folder="."):
        made.append(project / folder)
        assert run(project, "chmod", "-R", "a-w", folder).returncode == 0
        if run(project, *drop, "touch", f"{folder}/probe").returncode == 0:
            pytest.skip("no folder can be made read-only here")
        return run(project, *drop, *command)

    yield run_read_only
    for folder in made:
        run(folder, "chmod", "-R", "u+w", ".")


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        (".", ".dvc/tmp/lock"),
        ("data", "data/prepared/normalization.json"),
        (".dvc/cache", ".dvc/cache/runs/"),
    ],
)
def test_dvc_names_what_it_cannot_write_and_resumes_once_it_can(read_only, project, folder, said):
    set_value(project, "preprocess.normalize", "standardize")
    lock = (project / "dvc.lock").read_bytes()
    result = read_only(project, "dvc", "repro", "preprocess", folder=folder)
    assert result.returncode == 255
    assert f"Permission denied: '{project}/{said}" in result.stderr
    assert "Traceback" not in result.stderr
    assert (project / "dvc.lock").read_bytes() == lock
    run(project, "chmod", "-R", "u+w", ".")
    dvc(project, "repro", "preprocess")
    assert "up to date" in dvc(project, "status", "preprocess")


def test_a_second_reproduction_at_the_same_time_names_the_process_of_the_first(project, tmp_path):
    set_value(project, "train.seed", 7)
    alone = Path(shutil.copytree(project, tmp_path / "alone", symlinks=True))
    dvc(alone, "repro")
    with start(project, "dvc", "repro") as first:
        try:
            said = next(line for line in first.stdout if line.startswith("epoch 1/"))
            os.killpg(first.pid, signal.SIGSTOP)  # in the middle of training
            second = run(project, "dvc", "repro")
        finally:
            os.killpg(first.pid, signal.SIGCONT)
        said += first.stdout.read()
    assert first.returncode == 0, said
    assert second.returncode == 255
    assert "is busy, it is being blocked by:" in second.stderr
    assert f"(PID {first.pid}): " in second.stderr
    assert "If there are no processes with such PIDs, you can manually remove" in second.stderr
    assert artifacts(project) == artifacts(alone)
    assert (project / "dvc.lock").read_bytes() == (alone / "dvc.lock").read_bytes()
    assert "up to date" in dvc(project, "status")


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        ("train", "data/prepared/validation.npz"),
        ("evaluate", "data/prepared/test.npz"),
        ("plot", "data/predictions.npz"),
        ("plot", "data/first_batch.npz"),
    ],
)
def test_a_stage_refuses_objects_in_an_npz_file_without_running_them(
    project, monkeypatch, stage, file
):
    monkeypatch.chdir(project)
    with np.load(file) as untouched:
        names = untouched.files
    Path(file).unlink()  # it may be a link into the cache
    np.savez(file, **dict.fromkeys(names, np.array([Sprung()], dtype=object)))
    before = artifacts(project)
    error = error_of(run(project, "python", "-m", f"stages.{stage}"))
    assert error.startswith(f"error: {file}: expected an .npz file without pickles holding ")
    assert error.endswith("; delete it and run `dvc repro`")
    assert not Path("sprung").exists()
    assert artifacts(project) == before
    with np.load(file, allow_pickle=True) as trusted:  # the trap is one
        trusted[names[0]]
    assert Path("sprung").exists()


def test_a_stage_refuses_a_network_that_carries_code_without_running_it(project):
    path, sprung = project / "models" / "model.keras", project / "sprung"
    trap = eval(f"lambda images: (__import__('os').mkdir({str(sprung)!r}), images)[1]")
    shady = keras.Sequential([keras.Input((28, 28)), keras.layers.Lambda(trap)])
    path.unlink()  # it may be a link into the cache
    shady.save(path)
    sprung.rmdir()
    before = artifacts(project)
    error = error_of(run(project, "python", "-m", "stages.evaluate"))
    assert error.startswith(
        "error: models/model.keras: expected a network that plain Keras loads in safe mode, found: "
    )
    assert not sprung.exists()
    assert artifacts(project) == before
    keras.saving.load_model(path, safe_mode=False)  # the trap is one
    assert sprung.exists()
