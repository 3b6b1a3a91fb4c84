"""A stage runs alone, ends with its parent, and can be interrupted."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from projects import ROOT

from fmnist.stage.command import InputError
from fmnist.stage.lifecycle import INTERRUPTED_MESSAGE, alone

PLOT = Path("fmnist/plot")
# Ten minutes of compiled code, in which Python has no turn.
COMPILED = "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**30)"
# Ten minutes of Python, with a file half written.
WRITING = """
with replacing(pathlib.Path(os.environ['FILE'])) as file:
    file.write(b'half')
    time.sleep(600)
"""


def program(work: str) -> str:
    """Return a program that prints when it begins, and then does its work as a stage.

    It imports everything before: Python ignores an interrupt in its import system, with a message,
    so that the process ends by the watcher.
    """
    body = "".join(f"    {line}\n" for line in work.strip().splitlines())
    return (
        "import hashlib, os, pathlib, time\n"
        "from fmnist.stage import lifecycle\nfrom fmnist.stage.files import replacing\n"
        f"def main():\n    print('begins', flush=True)\n{body}"
        "lifecycle.run('plot', main)\n"
    )


@pytest.fixture
def stage_folder(tmp_path) -> Path:
    """A folder in which a stage can be locked."""
    (tmp_path / "fmnist" / "plot").mkdir(parents=True)
    return tmp_path


def start(folder: Path, command: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "FILE": str(folder / "file")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", [COMPILED, WRITING])
def test_an_interrupt_ends_a_stage_with_how_to_resume(work, number, stage_folder):
    with start(stage_folder, [sys.executable, "-c", program(work)]) as process:
        assert process.stdout.readline() == "begins\n"
        process.send_signal(number)
        _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed == f"{INTERRUPTED_MESSAGE}\n"
    assert [path.name for path in stage_folder.iterdir()] == ["fmnist"]


def as_dvc_runs(shell: str) -> list[str]:
    """Return a program that runs ``$STAGE`` as DVC does: in the user's shell."""
    command = f"{sys.executable!r} + ' -c \"$STAGE\"'"
    return [
        sys.executable,
        "-c",
        f"import subprocess; subprocess.run([{shell!r}, '-c', {command}])",
    ]


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
@pytest.mark.parametrize("work", [COMPILED, WRITING])
def test_a_stage_ends_when_the_dvc_that_runs_it_is_killed(work, shell, stage_folder):
    if not Path(shell).exists():
        pytest.skip(f"no {shell} on this machine")
    own = {"SHELL": shell, "DVC_STAGE": "plot", "STAGE": program(work)}
    with start(stage_folder, as_dvc_runs(shell), **own) as process:
        assert process.stdout.readline() == "begins\n"
        process.kill()
        # Both ends of the pipe are closed only once no process is left that could write to it.
        assert process.communicate(timeout=60) == ("", "")


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_stage_ends_when_the_dvc_that_runs_it_is_killed_while_it_loads(shell, stage_folder):
    if not Path(shell).exists():
        pytest.skip(f"no {shell} on this machine")
    loading = "while not os.path.exists('killed'): time.sleep(0.01)\n"
    stage = program("").replace(
        "def main", f"import time\nprint('loads', flush=True)\n{loading}def main"
    )
    own = {"SHELL": shell, "DVC_STAGE": "plot", "STAGE": stage}
    with start(stage_folder, as_dvc_runs(shell), **own) as process:
        assert process.stdout.readline() == "loads\n"
        process.kill()
        process.wait()
        (stage_folder / "killed").touch()
        assert process.communicate(timeout=60) == ("", "")


def test_a_stage_runs_once_at_a_time_in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fmnist" / "plot").mkdir(parents=True)
    (tmp_path / "fmnist" / "train").mkdir()
    with alone(PLOT, "stages.plot"):
        with alone(Path("fmnist/train"), "stages.train"):
            pass
        with (
            pytest.raises(InputError, match="stages.plot: expected no other run of it in this"),
            alone(PLOT, "stages.plot", patience=0.1),
        ):
            pass
    with alone(PLOT, "stages.plot", patience=0):
        pass
    assert [path.name for path in tmp_path.rglob("*")].count("plot") == 1


def test_a_second_run_waits_for_one_that_is_about_to_end(tmp_path):
    (tmp_path / "fmnist").mkdir()
    shutil.copytree(ROOT / "fmnist" / "plot", tmp_path / "fmnist" / "plot")
    holding = (
        "import sys, time\nfrom pathlib import Path\nfrom fmnist.stage.lifecycle import alone\n"
        "with alone(Path('fmnist/plot'), 'stages.plot'):\n"
        "    print('holds', flush=True); sys.stdin.read(1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as first:
        assert first.stdout.readline() == b"holds\n"
        first.stdin.write(b"x")
        first.stdin.flush()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            with alone(PLOT, "stages.plot", patience=60):
                pass
