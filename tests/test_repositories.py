"""Commands in partial clones, and tests in Git hooks, where repositories are easily damaged."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from programs import commit, git, run
from projects import ROOT, set_value
from revisions import main_branch

pytestmark = pytest.mark.slow

COMMANDS = {
    "gate": ("commands.gate",),
    "compare": ("commands.compare",),
    "verify": ("commands.verify", "--rev", "origin/main", "--stage", "plot"),
}


@pytest.fixture(scope="module")
def origin(made_once, reproduced, tmp_path_factory) -> Path:
    """The reproduced project with a branch `change`, which has another seed but was not rerun."""
    folder = tmp_path_factory.mktemp("origin") / "project"
    git(folder.parent, "clone", "--quiet", str(main_branch(made_once, reproduced)), str(folder))
    git(folder, "checkout", "--quiet", "-b", "change")
    set_value(folder, "train.seed", 7)
    (folder / "plots" / "predictions.csv").unlink()
    commit(folder)
    return folder


def clone(origin: Path, folder: Path, *options: str) -> Path:
    git(folder.parent, "clone", "--quiet", *options, origin.as_uri(), str(folder))
    git(folder, "fetch", "--quiet", "origin", "main:refs/remotes/origin/main")
    return folder


def answer(folder: Path, command: str) -> tuple[int, list[str]]:
    """Return the exit code and what is printed, without the names of folders."""
    result = run(folder, "python", "-m", *COMMANDS[command])
    printed = (result.stdout + result.stderr).replace(str(folder), "<here>")
    return result.returncode, re.sub(r"\S*fmnist-\w+", "<temporary>", printed).splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_partial_clone_gives_the_answer_of_a_full_one(command, origin, tmp_path):
    full = clone(origin, tmp_path / "full")
    expected = answer(full, command)
    for kind in ("blob:none", "tree:0"):
        partial = clone(origin, tmp_path / kind, f"--filter={kind}")
        assert answer(partial, command) == expected
        assert git(partial, "config", "remote.origin.promisor") == "true"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_partial_clone_whose_origin_is_gone_is_refused_by_name(command, origin, tmp_path):
    copy = clone(origin, tmp_path / "copy")
    git(copy, "branch", "--quiet", "main", "origin/main")
    partial = clone(copy, tmp_path / "partial", "--filter=blob:none")
    copy.rename(tmp_path / "moved")
    status, printed = answer(partial, command)
    assert status == 2
    assert any("does not appear to be a git repository" in line for line in printed), printed


def everything(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Return the mode and the content of all that is in a folder."""
    return {
        path.relative_to(folder): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("command", [*COMMANDS, "seeds", "check", "repair"])
def test_a_command_leaves_the_user_s_home_and_repository_as_they_are(command, origin, tmp_path):
    home, project = tmp_path / "home", clone(origin, tmp_path / "project")
    hooks, template = home / "hooks", home / "template"
    (template / "hooks").mkdir(parents=True)
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor"):
        for hook in (hooks / name, template / "hooks" / name):
            hook.write_text(f"#!/bin/sh\ntouch '{home}/acted'\n")
            hook.chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[core]\nhooksPath = {hooks}\nfsmonitor = {hooks}/fsmonitor\n"
        f"[init]\ntemplateDir = {template}\n[commit]\ngpgsign = true\n"
    )
    (project / ".dvc" / "cache").symlink_to(origin / ".dvc" / "cache")
    before = everything(home), everything(project / ".git"), git(project, "status", "--porcelain")
    own = {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "MPLCONFIGDIR": str(tmp_path / "matplotlib"),
    }
    arguments = COMMANDS.get(command, (f"commands.{command}",))
    result = run(project, "python", "-B", "-m", *arguments, **own)
    assert "Traceback" not in result.stderr
    changed = git(project, "status", "--porcelain").replace("M metrics/seeds.csv", "").strip()
    assert (everything(home), everything(project / ".git"), changed) == before


HOOKS = {
    "pre-commit": ("commit", "--quiet", "--allow-empty", "--message", "new"),
    "pre-push": ("push", "--quiet", "origin", "HEAD:refs/heads/pushed"),
    "rebase": ("rebase", "--quiet", "--force-rebase", "HEAD~1", "--exec"),
    "bisect": ("bisect", "run", "sh", "-c"),
}


@pytest.mark.parametrize("kind", HOOKS)
def test_tests_that_run_under_git_leave_the_user_s_repository_as_it_is(kind, tmp_path):
    user, linked = tmp_path / "user", tmp_path / "linked"
    git(tmp_path, "init", "--quiet", str(user))
    (user / "file").write_text("1")
    commit(user)
    (user / "file").write_text("2")
    commit(user)
    git(tmp_path, "clone", "--quiet", "--bare", str(user), "bare")
    git(user, "remote", "add", "origin", str(tmp_path / "bare"))
    git(user, "worktree", "add", "--quiet", "-b", "mine", str(linked))
    # Repositories that tests make, as conftest.py sets Git up for them.
    tests = shlex.join(
        [
            *("env", "--chdir", str(ROOT), "--unset=PYTEST_XDIST_WORKER", sys.executable),
            *("-m", "pytest", "--quiet", "--no-runs", f"--basetemp={tmp_path}/tests"),
            "tests/test_base.py",
        ]
    )
    passed = tmp_path / "passed"
    script = f"{tests} >'{passed}.log' 2>&1 && touch '{passed}'"
    before = git(user, "config", "--local", "--list"), git(linked, "ls-files", "--stage")
    command = HOOKS[kind]
    if kind in ("pre-commit", "pre-push"):
        hook = user / ".git" / "hooks" / kind
        hook.write_text(f"#!/bin/sh\n{script}\n")
        hook.chmod(0o755)
    else:
        command = (*command, script)
    if kind == "bisect":
        git(linked, "bisect", "start", "--no-checkout", "HEAD", "HEAD~1")
    result = run(linked, "git", *command)
    assert passed.exists(), result.stderr + Path(f"{passed}.log").read_text()
    if kind == "bisect":
        git(linked, "bisect", "reset")
    assert (git(user, "config", "--local", "--list"), git(linked, "ls-files", "--stage")) == before
    assert git(linked, "status", "--porcelain") == ""
    assert git(user, "config", "--local", "core.bare") == "false"
