"""A stage runs alone, ends with its parent, and answers an interrupt."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from fmnist.command import InputError
from fmnist.stage import alone

PLOT = Path("fmnist/plot")
# Ten minutes of compiled code, in which Python has no turn.
COMPILED = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 2**30)"
# Ten minutes of Python, with a file half written.
WRITING = """
import pathlib, time
from fmnist.files import replacing
with replacing(pathlib.Path(os.environ['FILE'])) as file:
    file.write(b'half')
    time.sleep(600)
"""


def program(work: str) -> str:
    """Return a program that says when it begins, and then does its work as a stage."""
    body = "".join(f"    {line}\n" for line in work.strip().splitlines())
    return (
        "import os\nfrom fmnist import stage\n"
        f"def main():\n    print('begins', flush=True)\n{body}"
        "stage.run('plot', main)\n"
    )


def start(command: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", [COMPILED, WRITING])
def test_an_interrupt_ends_a_stage_and_says_how_to_go_on(work, number, tmp_path):
    file = tmp_path / "file"
    with start([sys.executable, "-c", program(work)], FILE=str(file)) as process:
        assert process.stdout.readline() == "begins\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == (
        "interrupted: run the same command again to go on; finished stages are kept, and so are"
        " the finished epochs of a training\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
@pytest.mark.parametrize("work", [COMPILED, WRITING])
def test_a_stage_ends_when_the_dvc_that_runs_it_is_killed(work, shell, tmp_path):
    if not Path(shell).exists():
        pytest.skip(f"no {shell} on this machine")
    # As DVC does: the stage's command in the user's shell, with DVC_STAGE set.
    parent = (
        "import subprocess, sys\n"
        f"subprocess.run([{shell!r}, '-c', {sys.executable!r} + ' -c \"$STAGE\"'])"
    )
    own = {"SHELL": shell, "DVC_STAGE": "plot", "STAGE": program(work), "FILE": str(tmp_path / "f")}
    with start([sys.executable, "-c", parent], **own) as process:
        assert process.stdout.readline() == "begins\n"
        process.kill()
        # Both ends of the pipe are closed only once nobody is left who could write to it.
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
        "import sys, time\nfrom pathlib import Path\nfrom fmnist.stage import alone\n"
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
