"""`make push` sends what DVC alone leaves out; here to a folder, which needs no server."""

import shutil
from pathlib import Path

import pytest
from programs import call, dvc
from projects import files_below


@pytest.fixture
def remote(project: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "remote"
    config = f"[core]\nremote = storage\n['remote \"storage\"']\nurl = {folder}\n"
    (project / ".dvc" / "config.local").write_text(config)
    return folder


def push(project: Path) -> tuple[int, str]:
    result = call(project, "commands.push")
    assert not (project / "make-push.dvc").exists()
    return result.returncode, result.stderr


def test_a_push_sends_the_outputs_of_every_run_that_the_cache_has(project, remote):
    assert push(project) == (0, "")
    cache = project / ".dvc" / "cache"
    everything = files_below(cache)
    assert files_below(remote) == everything
    shutil.rmtree(remote)
    dvc(project, "gc", "--workspace", "--force")
    assert push(project) == (0, "")
    assert files_below(remote) == files_below(cache) < everything


def test_the_run_cache_of_dvc_alone_leaves_out_what_git_holds(project, remote):
    # Once this fails, `dvc push --run-cache` will do, and commands/push.py can go.
    dvc(project, "push", "--run-cache")
    missing = files_below(project / ".dvc" / "cache") - files_below(remote)
    assert len(missing) == 12  # two files of metrics/ and ten of plots/


def test_a_machine_that_has_run_nothing_has_nothing_to_push(project, remote):
    shutil.rmtree(project / ".dvc" / "cache")
    (project / "dvc.lock").unlink()
    assert push(project) == (0, "")
    assert files_below(remote) == set()


def test_a_push_without_a_remote_fails_with_the_reason(project):
    status, message = push(project)
    assert status == 2
    assert "no remote" in message
    assert message.endswith("error: `dvc push --run-cache` failed; see DVC's message\n")
