"""A real merge and a real rebase, whose conflicts in results the documented commands resolve."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from programs import commit, dvc, dvc_status, forking, git, run
from projects import ROOT, set_value

from commands.repair import TAKE_ONE_SIDE
from fmnist.pipeline import lock_file
from fmnist.stage import yaml_file

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "operating.md").read_text()
COMMANDS = re.search(r"## Merge conflicts.+?```sh\n(.+?)```", PAGE, re.DOTALL)[1].splitlines()


@pytest.fixture
def diverged(project: Path) -> Path:
    """Branches `mine` and `theirs`, each with another value and the results of its own run."""
    (project / ".venv").symlink_to(sys.prefix)
    commit(project)
    for branch, key, value in (
        ("theirs", "evaluate.batch_size", 7),
        ("mine", "recipes.mlp.epochs", 2),
    ):
        git(project, "checkout", "--quiet", "-b", branch, "main")
        set_value(project, key, value)
        dvc(project, "repro")
        if branch == "theirs":
            set_value(project, "plot.dpi", 60)
            dvc(project, "repro")
        commit(project)
    return project


@pytest.mark.parametrize("kind", ["merge", "rebase"])
def test_the_documented_commands_resolve_a_conflict_in_results(kind, diverged, tmp_path):
    conflict = run(diverged, "git", kind, "theirs")
    assert conflict.returncode != 0
    unmerged = git(diverged, "diff", "--name-only", "--diff-filter=U").splitlines()
    assert "dvc.lock" in unmerged
    assert "plots/accuracy.png" in unmerged
    assert "params.yaml" not in unmerged

    make = "make --old-file=install"
    refused = run(diverged, *make.split(), "repro", **forking())
    assert refused.returncode == 2
    expected = "error: dvc.lock: expected no merge conflict, found one; take either side, because"
    assert expected in refused.stderr
    assert f"error: {TAKE_ONE_SIDE}\nerror: make repro\n" in refused.stderr

    checkout, repro, add, done, _ = (line.partition("  ")[0] for line in COMMANDS)
    assert (checkout, repro) == (TAKE_ONE_SIDE, "make repro")
    assert done == "git commit --no-edit"
    if kind == "rebase":
        done = COMMANDS[3].partition("# or: ")[2]
    for command in (checkout, f"{make} repro", add, done):
        result = run(diverged, "sh", "-c", command, GIT_EDITOR="true", **forking())
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    assert git(diverged, "status", "--porcelain") == ""
    assert dvc_status(diverged) == {}

    values = yaml_file.load(diverged / "params.yaml")
    assert (values["evaluate"]["batch_size"], values["recipes"]["mlp"]["epochs"]) == (7, 2)
    fresh = Path(shutil.copytree(diverged, tmp_path / "fresh", symlinks=True))
    (fresh / "dvc.lock").unlink()
    dvc(fresh, "repro", "--force")
    assert lock_file.read(fresh / "dvc.lock") == lock_file.read(diverged / "dvc.lock")
