"""A revision is checked out whole from every kind of repository, and nothing of it changes."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import git

from fmnist.stage.command import InputError
from fmnist.versions.checkout import Checkout

FILES = {
    ".dvc/config": "",
    "dvc.yaml": "stages: {}\n",
    "folder/ä b": "text\r\n",
    "data": "1\n" * 999,
}
STRANGE = "\"#a' ü:\\b"


def fill(folder: Path, *options: str) -> Path:
    """Make a repository of `FILES`, in which the branch has two commits."""
    git(folder.parent, "init", "--quiet", *options, str(folder))
    for name in ("old", *FILES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(FILES.get(name, "gone later").encode())
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "one")
    git(folder, "rm", "--quiet", "old")
    git(folder, "commit", "--quiet", "--message", "two")
    return folder


@pytest.fixture
def origin(tmp_path) -> Path:
    return fill(tmp_path / "origin")


def clone(origin: Path, *options: str) -> Path:
    folder = origin.with_name("clone")
    git(origin.parent, "clone", "--quiet", *options, origin.as_uri(), str(folder))
    return folder


def worktree(origin: Path) -> Path:
    git(origin, "worktree", "add", "--quiet", "--detach", "../worktree")
    return origin.with_name("worktree")


def worktree_of_a_bare_repository(origin: Path) -> Path:
    bare = clone(origin, "--bare")
    git(bare, "worktree", "add", "--quiet", "--detach", "../worktree")
    return origin.with_name("worktree")


def submodule(origin: Path) -> Path:
    parent = origin.with_name("parent")
    git(origin.parent, "init", "--quiet", str(parent))
    git(parent, "submodule", "--quiet", "add", str(origin), "inner")
    return parent / "inner"


def subfolder(origin: Path) -> Path:
    folder = origin.with_name("monorepo")
    shutil.copytree(origin, folder / "project", ignore=shutil.ignore_patterns(".git"))
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder / "project"


def sparse(origin: Path) -> Path:
    folder = clone(origin)
    git(folder, "sparse-checkout", "set", "--no-cone", "dvc.yaml")
    return folder


KINDS: dict[str, Callable[[Path], Path]] = {
    "plain": lambda origin: origin,
    "without blobs": lambda origin: clone(origin, "--filter=blob:none", "--no-checkout"),
    "without trees": lambda origin: clone(origin, "--filter=tree:0", "--no-checkout"),
    "shallow": lambda origin: clone(origin, "--depth=1"),
    "sparse": sparse,
    "worktree": worktree,
    "worktree of a bare one": worktree_of_a_bare_repository,
    "submodule": submodule,
    "monorepo": subfolder,
    "SHA-256": lambda origin: fill(origin.with_name("sha256"), "--object-format=sha256"),
    "strange path": lambda origin: Path(shutil.copytree(origin, origin.with_name(STRANGE))),
}


def state(folder: Path) -> dict[str, object]:
    """Return what a user would miss: the configuration, the index, references and files."""
    return {
        "config": git(folder, "config", "--local", "--list"),
        "index": git(folder, "ls-files", "--stage", "--debug"),
        "refs": git(folder, "for-each-ref") + git(folder, "rev-parse", "HEAD"),
        "worktrees": git(folder, "worktree", "list", "--porcelain"),
        "files": {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()},
    }


def without_objects(files: dict[str, object]) -> dict[str, object]:
    """Leave out what a partial clone fetches."""
    kept = {path: time for path, time in files["files"].items() if "objects" not in path.parts}
    kept = {path: time for path, time in kept.items() if path.name != "FETCH_HEAD"}
    return files | {"files": kept}


def check(checkout: Checkout) -> None:
    for name, content in FILES.items():
        assert (checkout.folder / name).read_bytes() == content.encode()
    assert git(checkout.folder, "status", "--porcelain", "--untracked-files=no") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkout_is_whole_and_the_repository_stays_as_it_is(kind, origin, tmp_path, monkeypatch):
    folder = KINDS[kind](origin)
    monkeypatch.chdir(folder)
    before = without_objects(state(folder))
    checkout = Checkout.create(tmp_path / "checkout", "HEAD")
    check(checkout)
    assert without_objects(state(folder)) == before


def test_an_earlier_revision_has_its_own_files(origin, tmp_path, monkeypatch):
    monkeypatch.chdir(origin)
    checkout = Checkout.create(tmp_path / "checkout", "HEAD~1")
    assert (checkout.folder / "old").read_text() == "gone later"


@pytest.mark.parametrize("kind", ["without blobs", "without trees"])
def test_a_partial_clone_whose_origin_is_gone_is_refused_with_the_reason(
    kind, origin, tmp_path, monkeypatch
):
    folder = KINDS[kind](origin)
    monkeypatch.chdir(folder)
    origin.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="origin' does not appear to be a git repository"):
        Checkout.create(tmp_path / "checkout", "HEAD")


def test_a_repository_that_lost_a_file_is_refused(origin, tmp_path, monkeypatch):
    monkeypatch.chdir(origin)
    lost = git(origin, "rev-parse", "HEAD:data")
    (origin / ".git/objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(InputError, match=lost):
        Checkout.create(tmp_path / "checkout", "HEAD")


def test_hooks_templates_and_file_monitors_of_the_user_do_nothing(origin, tmp_path, monkeypatch):
    ran, hooks = tmp_path / "ran", tmp_path / "templates" / "hooks"
    hooks.mkdir(parents=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{ran}'\n")
        (hooks / name).chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[core]\nhooksPath = {hooks}\nfsmonitor = {hooks}/fsmonitor\n"
        f"[init]\ntemplateDir = {hooks.parent}\n[commit]\ngpgSign = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.chdir(origin)
    checkout = Checkout.create(tmp_path / "checkout", "HEAD")
    assert not ran.exists()
    assert not (checkout.folder / ".git" / "hooks").exists()
    git(origin, "checkout", "--quiet", "HEAD~1")  # the hooks do work
    assert ran.exists()


def test_git_s_own_variables_of_another_repository_are_ignored(origin, tmp_path, monkeypatch):
    other = fill(tmp_path / "other")
    before = state(other)
    monkeypatch.chdir(origin)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    checkout = Checkout.create(tmp_path / "checkout", "HEAD")
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        assert name not in checkout.environment
        monkeypatch.delenv(name)
    check(checkout)
    assert state(other) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_safe_directory_may_be_given_by_the_environment(origin, tmp_path, monkeypatch):
    for path in (origin, *origin.rglob("*")):
        os.chown(path, 65534, 65534)
    monkeypatch.chdir(origin)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with pytest.raises(InputError, match="dubious ownership"):
        Checkout.create(tmp_path / "refused", "HEAD")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(origin))
    check(Checkout.create(tmp_path / "checkout", "HEAD"))


def test_a_cache_in_any_path_is_shared(tmp_path, monkeypatch):
    folder = fill(tmp_path / "prøject = 'x' # y")
    cache = folder / ".dvc" / "cache"
    cache.mkdir()
    monkeypatch.chdir(folder)
    checkout = Checkout.create(tmp_path / "checkout", "HEAD")
    checkout.share_cache()
    assert checkout.dvc("status", "--quiet")
    assert (checkout.folder / ".dvc" / "cache").resolve() == cache
