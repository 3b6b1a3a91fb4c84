"""The revision that a change is compared with."""

import contextlib

from fmnist.pipeline.git_command import git
from fmnist.stage.command import InputError

NAMES = ("main", "master", "HEAD")  # at a remote, HEAD is its default branch


def choose(given: str | None) -> str:
    """Return the given revision, or else `merge_base`, and print which one it is."""
    revision = given or merge_base()
    print(f"Base: {revision}{'' if given else f' ({_subject(revision)})'}")
    return revision


def merge_base() -> str:
    """Return the commit, shortened, where the current branch left the main one.

    There may be several main branches, such as a local one that is behind its remote: the nearest
    merge base to HEAD counts.

    Raises:
        InputError: there is no main branch, neither here nor at a remote, or none shares history.
    """
    head = git("rev-parse", "HEAD")
    branches = _main_branches()
    if not branches:
        raise InputError(
            "expected a branch main or master, here or at a remote, found none; set BASE=<revision>"
        )
    found, reasons = [], []
    for branch in branches:
        try:
            found.append(git("merge-base", branch, head))
        except InputError as error:
            reasons.append(f"{error}: no commit in common with {branch}")
    if not found:
        raise InputError("\n".join([*reasons, "set BASE=<revision>"]))
    nearest = min(found, key=lambda base: int(git("rev-list", "--count", f"{base}..{head}")))
    return git("rev-parse", "--short", nearest)


def _main_branches() -> list[str]:
    """Return the full names of the main branches that are here.

    A remote's default branch is left out if it is the remote's copy of the current branch.
    """
    listed = git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes").splitlines()
    current = None
    with contextlib.suppress(InputError):  # HEAD is detached
        current = git("symbolic-ref", "--quiet", "--short", "HEAD")
    branches = []
    for name in listed:
        kind, _, rest = name.removeprefix("refs/").partition("/")
        short = rest if kind == "heads" else rest.partition("/")[2]
        if short not in NAMES or (kind == "heads" and short == "HEAD"):
            continue
        if short == "HEAD" and current is not None:
            default = git("symbolic-ref", "--quiet", name)
            if default.removeprefix("refs/remotes/").partition("/")[2] == current:
                continue
        branches.append(name)
    return branches


def _subject(revision: str) -> str:
    return git("log", "-1", "--format=%s", revision)
