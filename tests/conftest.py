"""Tiny data made on the spot, a copy of the project that runs on it, and what runs there."""

import hashlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

from fmnist import contract, tensorflow_contract

contract.apply()  # tests compute under the same switches as stages, which NumPy reads at import
tensorflow_contract.apply(threads=2)
# A shell ignores SIGINT in its background, and what tests start and interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import yaml  # noqa: E402

from fmnist import parameters  # noqa: E402
from fmnist.dataset import Images  # noqa: E402
from fmnist.train.parameters import Recipe  # noqa: E402

ROOT = Path(__file__).parent.parent
STAGES = ("fetch", "preprocess", "train", "evaluate", "plot")
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # this environment's programs first

pytest_plugins = ["mirrors", "web_server"]  # which have fixtures too


def idx(array: np.ndarray) -> bytes:
    """Return the bytes of an IDX file."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def pixels(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 [count, 28, 28] of which the label, uint8 [count], can be learned."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = random.integers(0, 100, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 4] += 120
    order = random.permutation(count)
    return images[order], labels[order]


def tiny(count: int, seed: int = 0) -> Images:
    """Return normalized images."""
    images, labels = pixels(count, seed)
    return Images(images.astype(np.float32) / np.float32(255), labels)


TRAIN, VALIDATION = tiny(70), tiny(23, seed=1)
RECIPES = parameters.load(ROOT / "params.yaml")["recipes"]


def recipe(name: str, **changes: object) -> Recipe:
    """Return a recipe of params.yaml, shortened, without dropout and augmentation, then changed.

    Args:
        changes: of a mapping those keys that are given, unless it has another ``name``.
    """
    values = RECIPES[name] | {"batch_size": 16, "epochs": 3}
    values |= {"early_stopping": None, "augmentation": None}
    values["network"] = values["network"] | {"dropout": 0.0}
    for key, value in changes.items():
        before = values[key]
        if isinstance(before, dict) and value.get("name") in (None, before.get("name")):
            value = before | value
        values[key] = value
    return Recipe.model_validate(values)


ADAM = {"name": "adam", "learning_rate": 0.001, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4}


def leaves(values: dict, prefix: str = "") -> dict[str, object]:
    """Return every value that is not a mapping, under its dotted key."""
    found = {}
    for key, value in values.items():
        nested = isinstance(value, dict)
        found |= leaves(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found


def pin_groups(stage: str) -> set[str]:
    """Return the groups of pyproject.toml's pins that a stage tracks."""
    found = [
        entry["pyproject.toml"] for entry in GRAPH[stage]["params"] if not isinstance(entry, str)
    ]
    return {key.removeprefix("dependency-groups.") for keys in found for key in keys}


def walk(values: dict, key: str) -> tuple[dict, str]:
    """Return the mapping that holds the dotted ``key``, and the key's last part."""
    *parents, last = key.split(".")
    for parent in parents:
        values = values[parent]
    return values, last


def set_value(folder: Path, key: str, value: object) -> None:
    """Set the dotted ``key`` in a project's params.yaml."""
    path = folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    section, last = walk(values, key)
    section[last] = value
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder`` with this environment's programs first on PATH."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": PATH, **environment},
        capture_output=True,
        text=True,
    )


def start(folder: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """Start a command like `run`, in a process group of its own; all it says is in ``stdout``."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PATH": PATH, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def dvc(folder: Path, *arguments: str, **environment: str) -> str:
    """Run DVC, which must succeed; return what it prints."""
    result = run(folder, "dvc", *arguments, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def git(folder: Path, *arguments: str) -> None:
    """Run Git, which must succeed, as somebody."""
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    """Commit all that Git does not ignore."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "state")


def files_below(folder: Path, *left_out: str) -> set[str]:
    """Return the paths of all files in ``folder``, but those in a folder named in ``left_out``."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not set(left_out) & set(path.parts)}


def make_targets() -> set[str]:
    """Return what can be made; a pattern as each target that a lock gives it."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z%-]+):", makefile, flags=re.MULTILINE))
    for lock in ROOT.glob("requirements-*.lock"):
        targets |= {target.replace("%", lock.stem.partition("-")[2]) for target in targets}
    return targets


def copy_project(folder: Path) -> Path:
    """Copy the files of the project that are, or would be, in Git; no data, no results."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if name == "dvc.lock" or name.startswith(("metrics/", "plots/", "tests/", "docs/")):
            continue
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    return folder


class Sprung:
    """An object whose unpickling would leave a trace."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the four raw files, small: 60 training and 20 test images."""
    folder = tmp_path_factory.mktemp("mirror")
    for part, count, seed in (("train", 60, 1), ("t10k", 20, 2)):
        images, labels = pixels(count, seed)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


def make_small(folder: Path, mirror: Path) -> Path:
    """Point a copy of the project at the small data, and shorten its trainings."""
    for path in mirror.iterdir():
        key = f"fetch.sha256.{path.name}"
        set_value(folder, key, hashlib.sha256(path.read_bytes()).hexdigest())
    set_value(folder, "fetch.mirrors", [mirror.as_uri()])
    set_value(folder, "preprocess.validation_size", 13)
    for recipe in RECIPES:
        set_value(folder, f"recipes.{recipe}.epochs", 3)
    return folder


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory, mirror: Path) -> Path:
    """The project after `dvc repro` on the small data. Not to be changed: use `project`."""
    folder = make_small(copy_project(tmp_path_factory.mktemp("reproduced")), mirror)
    dvc(folder, "repro")
    return folder


@pytest.fixture
def project(reproduced: Path, tmp_path: Path) -> Path:
    """A copy of `reproduced` to work in."""
    return Path(shutil.copytree(reproduced, tmp_path / "project", symlinks=True))
