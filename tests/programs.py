"""Ways to run the project's commands, DVC and Git."""

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import fork_server

from fmnist.stage import command

# A shell ignores SIGINT in its background, and what tests start and interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # this environment's programs first


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


def git(folder: Path, *arguments: str) -> str:
    """Run Git, which must succeed; return what it prints."""
    result = run(folder, "git", *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def commit(folder: Path) -> None:
    """Commit everything that Git does not ignore."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "state")
