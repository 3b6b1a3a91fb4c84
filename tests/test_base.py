"""The base of a comparison is the commit where the branch left the main one, wherever that is."""

from pathlib import Path

import pytest
from programs import git

from fmnist.stage.command import InputError
from fmnist.versions import base


@pytest.fixture
def origin(tmp_path) -> Path:
    """A repository with three commits on `main`: one, two and three."""
    folder = tmp_path / "origin"
    git(tmp_path, "init", "--quiet", str(folder))
    for message in ("one", "two", "three"):
        add(folder, message)
    return folder


@pytest.fixture
def clone(origin, tmp_path, monkeypatch) -> Path:
    """A clone of `origin`, which is the current folder."""
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(origin), str(folder))
    monkeypatch.chdir(folder)
    return folder


def add(folder: Path, message: str) -> None:
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def subject() -> str:
    """Return the message of the commit that is found."""
    return git(Path(), "log", "-1", "--format=%s", base.merge_base())


def test_a_fresh_main_of_the_origin_wins_over_a_stale_one_here(clone):
    git(clone, "checkout", "--quiet", "-b", "change")
    git(clone, "branch", "--quiet", "--force", "main", "HEAD~2")
    add(clone, "mine")
    assert subject() == "three"


def test_a_fresh_main_here_wins_over_a_stale_one_of_the_origin(clone):
    add(clone, "four")
    git(clone, "checkout", "--quiet", "-b", "change")
    add(clone, "mine")
    assert subject() == "four"


def test_a_fork_is_compared_with_the_remote_that_it_left_last(clone, origin, tmp_path):
    upstream = tmp_path / "upstream"
    git(tmp_path, "clone", "--quiet", str(origin), str(upstream))
    add(upstream, "four")
    git(clone, "remote", "add", "upstream", str(upstream))
    git(clone, "fetch", "--quiet", "upstream")
    git(clone, "checkout", "--quiet", "-b", "change", "upstream/main")
    add(clone, "mine")
    assert subject() == "four"


@pytest.mark.parametrize("name", ["master", "trunk"])
def test_main_branches_of_other_names_are_found(origin, clone, name):
    git(origin, "branch", "--quiet", "--move", "main", name)
    git(clone, "fetch", "--quiet", "--prune")
    git(clone, "remote", "set-head", "origin", "--auto")
    git(clone, "checkout", "--quiet", "-b", "change")
    git(clone, "branch", "--quiet", "--delete", "--force", "main")
    add(clone, "mine")
    assert subject() == "three"


def test_a_default_branch_is_not_the_base_of_itself(origin, clone):
    git(origin, "branch", "--quiet", "--move", "main", "develop")
    git(origin, "branch", "--quiet", "main", "develop~1")
    git(clone, "fetch", "--quiet", "--prune")
    git(clone, "remote", "set-head", "origin", "--auto")
    git(clone, "checkout", "--quiet", "develop")
    git(clone, "branch", "--quiet", "--delete", "--force", "main")
    assert subject() == "two"


def test_a_detached_head_has_a_base(clone):
    git(clone, "checkout", "--quiet", "--detach")
    add(clone, "mine")
    assert subject() == "three"


def test_without_a_main_branch_the_message_says_what_to_set(clone):
    git(clone, "remote", "remove", "origin")
    git(clone, "branch", "--quiet", "--move", "main", "mine")
    with pytest.raises(InputError, match="^expected a branch main or master, here or at a remote"):
        base.merge_base()


def test_a_shallow_clone_is_told_how_to_get_its_history(origin, tmp_path, monkeypatch):
    git(origin, "checkout", "--quiet", "-b", "change", "HEAD~1")
    add(origin, "mine")
    shallow = tmp_path / "shallow"
    options = ("--depth", "1", "--no-single-branch", "--branch", "change")
    git(tmp_path, "clone", "--quiet", *options, origin.as_uri(), str(shallow))
    monkeypatch.chdir(shallow)
    with pytest.raises(InputError, match="this clone is shallow: run `git fetch --unshallow`"):
        base.merge_base()
    git(shallow, "fetch", "--quiet", "--unshallow")
    assert subject() == "two"


def test_the_base_is_printed(clone, capsys):
    assert base.choose("HEAD~1") == "HEAD~1"
    assert base.choose(None) == git(clone, "rev-parse", "--short", "HEAD")
    assert capsys.readouterr().out.splitlines() == [
        "Base: HEAD~1",
        f"Base: {git(clone, 'rev-parse', '--short', 'HEAD')} (three)",
    ]
