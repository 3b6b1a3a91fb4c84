"""`make push` sends what DVC alone leaves out; here to a folder, which needs no server."""

import shutil
from pathlib import Path

import pytest
from conftest import dvc, files_below, run


@pytest.fixture
def remote(project: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "remote"
    dvc(project, "remote", "add", "--default", "storage", str(folder))
    return folder


def push(project: Path) -> tuple[int, str]:
    result = run(project, "python", "-m", "commands.push")
    assert not (project / "make-push.dvc").exists()
    return result.returncode, result.stderr


def test_a_push_sends_the_outputs_of_every_run(project, remote):
    assert push(project) == (0, "")
    assert files_below(remote) == files_below(project / ".dvc" / "cache")


def test_the_run_cache_of_dvc_alone_leaves_out_what_git_holds(project, remote):
    # Once this fails, `dvc push --run-cache` will do, and commands/push.py can go.
    dvc(project, "push", "--run-cache")
    missing = files_below(project / ".dvc" / "cache") - files_below(remote)
    assert len(missing) == 12  # two files of metrics/ and ten of plots/


def test_a_push_leaves_out_what_was_deleted_from_the_cache(project, remote):
    before = files_below(project / ".dvc" / "cache")
    dvc(project, "gc", "--workspace", "--force")
    assert push(project) == (0, "")
    assert files_below(remote) == files_below(project / ".dvc" / "cache") < before


def test_a_machine_that_has_run_nothing_has_nothing_to_push(project, remote):
    shutil.rmtree(project / ".dvc" / "cache")
    (project / "dvc.lock").unlink()
    assert push(project) == (0, "")
    assert files_below(remote) == set()


def test_a_push_without_a_remote_ends_with_the_reason(project):
    status, message = push(project)
    assert status == 2
    assert "no remote" in message
    assert message.endswith("error: `dvc push --run-cache` failed; DVC's message says why\n")
