"""Ask Git about the current folder's repository."""

import os
import subprocess

from fmnist.stage.command import InputError


def git(*arguments: str) -> str:
    """Return what Git prints.

    Raises:
        InputError: it fails; gives its reason.
    """
    result = subprocess.run(
        ["git", *arguments], env=without("GIT_"), capture_output=True, text=True, check=False
    )
    if result.returncode:
        reason = " ".join(result.stderr.split()).removeprefix("fatal: ")
        raise InputError(f"git {' '.join(arguments)}: {reason}")
    return result.stdout.strip()


def merge_base() -> str:
    """Return the commit, shortened, where the current branch left the main one.

    Raises:
        InputError: there is no main branch, neither here nor at the origin.
    """
    git("rev-parse", "HEAD")
    for branch in ("main", "origin/main"):
        try:
            return git("rev-parse", "--short", git("merge-base", branch, "HEAD"))
        except InputError:
            continue
    raise InputError("expected a branch main, here or at origin, found none; set BASE=<revision>")


def without(*prefixes: str) -> dict[str, str]:
    """Return the environment without variables of these prefixes.

    In a Git hook, Git's own variables name another repository.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
