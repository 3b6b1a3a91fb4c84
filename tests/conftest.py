"""Tiny data made on the spot, copies of the project that run on it, and ways to run it.

The option ``-p stages`` in pyproject.toml applies the numeric contract before this is imported.
"""

import contextlib
import hashlib
import importlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import fork_server
import numpy as np
import pytest
import yaml

from fmnist.dataset.images import Images
from fmnist.preprocess import idx
from fmnist.stage import command, dotted, yaml_file
from fmnist.stage.parameters import Schema
from fmnist.train.recipe import Recipe

# A shell ignores SIGINT in its background, and what tests start and interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
STAGES = ("fetch", "preprocess", "train", "evaluate", "plot")
GRAPH = yaml_file.load(ROOT / "dvc.yaml")["stages"]
REAL = yaml_file.load(ROOT / "params.yaml")
RECIPES = REAL["recipes"]
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # this environment's programs first

pytest_plugins = ["mirrors", "web_server"]  # which define fixtures too


# Data


def pixels(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 [count, 28, 28] whose labels, uint8 [count], can be learned."""
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


def recipe(name: str, **changes: object) -> Recipe:
    """Return a recipe of params.yaml, shortened, without dropout and augmentation, then changed.

    Args:
        changes: of a mapping those keys that are given, unless it has another ``name``.
    """
    values = RECIPES[name] | {"batch_size": 16, "epochs": 3, "augmentation": None}
    values["network"] = values["network"] | {"dropout": 0.0}
    for key, value in changes.items():
        before = values[key]
        if isinstance(before, dict) and value.get("name") in (None, before.get("name")):
            value = before | value
        values[key] = value
    return Recipe.model_validate(values)


ADAM = {"name": "adam", "learning_rate": 0.001, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4}


def schema_fields(schema: type[Schema]) -> Iterator[tuple[str, dict]]:
    """Yield the dotted key and the JSON schema of each field that is no mapping.

    The items of a list and the members of a union follow, with the same key. Keys leave out the
    names of recipes: ``recipes.network.dropout``.
    """
    top = schema.model_json_schema()
    waiting = [("", top)]
    while waiting:
        key, node = waiting.pop()
        if "$ref" in node:
            node = top["$defs"][node["$ref"].rpartition("/")[2]]
        if node.get("type") not in (None, "object"):
            yield key, node
        for name, field in node.get("properties", {}).items():
            waiting.append((f"{key}.{name}" if key else name, field))
        inner = [node.get("items"), node.get("additionalProperties")]
        inner += [*node.get("anyOf", []), *node.get("oneOf", [])]
        waiting += [(key, other) for other in inner if isinstance(other, dict)]


# The graph


def make_targets() -> set[str]:
    """Return what can be made; a pattern as each target that a lock gives it."""
    targets = set(re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for lock in (ROOT / "requirements").glob("*.lock"):
        targets |= {target.replace("%", lock.stem) for target in targets}
    return targets


def pin_groups(stage: str) -> set[str]:
    """Return the groups of pins in pyproject.toml that a stage tracks."""
    found = [
        entry["pyproject.toml"] for entry in GRAPH[stage]["params"] if not isinstance(entry, str)
    ]
    return {key.removeprefix("dependency-groups.") for keys in found for key in keys}


# Projects


def set_value(folder: Path, key: str, value: object) -> None:
    """Set the dotted ``key`` in a project's params.yaml."""
    path = folder / "params.yaml"
    values = yaml.load(path.read_text(), yaml.CSafeLoader)  # ten times as fast as `yaml_file.load`
    dotted.put(values, key, value)
    path.write_text(yaml.safe_dump(values, sort_keys=False))


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


def make_small(folder: Path, mirror: Path) -> Path:
    """Point a copy of the project at the small data, and shorten its trainings."""
    path = folder / "params.yaml"
    values = yaml_file.load(path)
    for raw in mirror.iterdir():
        values["fetch"]["sha256"][raw.name] = hashlib.sha256(raw.read_bytes()).hexdigest()
    values["download"]["mirrors"] = [mirror.as_uri()]
    values["preprocess"]["validation_size"] = 13
    for recipe in values["recipes"].values():
        recipe["epochs"] = 3
    values["plot"] |= {"mistakes": 3, "training_images": 5}
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return folder


def files_below(folder: Path, *left_out: str) -> set[str]:
    """Return the paths of all files in ``folder`` but those below a name in ``left_out``."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not set(left_out) & set(path.parts)}


# Programs


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in ``folder`` with this environment's programs first on PATH."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": PATH, **environment},
        capture_output=True,
        text=True,
    )


def start(folder: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """Start a program like `run`, in a process group of its own; ``stdout`` has all its output."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PATH": PATH, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def call(folder: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m <module>`` in this process, where a process of its own is not the point.

    It runs the code of this checkout in ``folder``: not code that a test has changed there.
    """
    main = importlib.import_module(module).main
    old_argv, old_path, old_folder = sys.argv, os.environ["PATH"], Path.cwd()
    old_handler, old_format = signal.getsignal(signal.SIGTERM), warnings.formatwarning
    sys.argv, os.environ["PATH"] = [module, *map(str, arguments)], PATH
    os.chdir(folder)
    try:
        with _captured() as streams, warnings.catch_warnings():
            warnings.filterwarnings("default", category=UserWarning)
            warnings.showwarning = _print_warning  # pytest's own records them
            try:
                command.run(main)
            except SystemExit as end:
                status = end.code
    finally:
        os.chdir(old_folder)
        sys.argv, os.environ["PATH"], warnings.formatwarning = old_argv, old_path, old_format
        signal.signal(signal.SIGTERM, old_handler)
    return subprocess.CompletedProcess([module], status, *streams)


def _print_warning(message: Warning, *details: object) -> None:
    print(f"warning: {message}", file=sys.stderr)


@contextlib.contextmanager
def _captured() -> Iterator[list[str]]:
    """Yield a list that is given the standard output and error of this process and its children."""
    streams: list[str] = []
    saved = sys.stdout, sys.stderr
    descriptors = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        try:
            for number, file in ((1, out), (2, err)):
                os.dup2(file.fileno(), number)
            sys.stdout, sys.stderr = (
                io.TextIOWrapper(io.FileIO(number, "w", closefd=False), write_through=True)
                for number in (1, 2)
            )
            yield streams
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            sys.stdout, sys.stderr = saved
            for number, descriptor in zip((1, 2), descriptors, strict=True):
                os.dup2(descriptor, number)
                os.close(descriptor)
            for file in (out, err):
                file.seek(0)
                streams.append(file.read())


def forking() -> dict[str, str]:
    """Return the environment in which stages run in the fork server."""
    return {"PATH": f"{fork_server.programs()}:{PATH}"}


def dvc(folder: Path, *arguments: str, **environment: str) -> str:
    """Run DVC, which must succeed; return what it prints. Stages run in the fork server."""
    result = run(folder, "dvc", *arguments, **forking() | environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def dvc_status(folder: Path) -> dict[str, list]:
    """Return what `dvc status --json` prints, by DVC in this process."""
    from dvc.repo import Repo  # a second, which the process that hands out tests need not spend

    with contextlib.chdir(folder), Repo() as repo:  # which names stages from the current folder
        return repo.status()


def git(folder: Path, *arguments: str) -> None:
    """Run Git, which must succeed, with an identity."""
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    """Commit everything that Git does not ignore."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "state")


class Sprung:
    """An object whose unpickling would leave a trace."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


# Fixtures


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option with which `make check` leaves out what trains."""
    parser.addoption("--no-runs", action="store_true", help="leave out what runs the pipeline")


def pytest_configure(config: pytest.Config) -> None:
    """Start TensorFlow where tests run, and beside it the fork server that all of them share."""
    runs_tests = hasattr(config, "workerinput") or not config.getoption("numprocesses")
    if not hasattr(config, "workerinput") and not config.getoption("--no-runs"):
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
