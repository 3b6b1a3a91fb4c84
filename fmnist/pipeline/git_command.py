"""The one way to run Git's commands."""

import functools
import os
import subprocess
from collections.abc import Mapping

from fmnist.stage.command import InputError

# Hooks and file monitors of the user must not act on what this project does.
NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")
# Git keeps these for the commands that it runs in submodules: settings, such as safe.directory.
SETTINGS = {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}


def git(*arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """Return what Git prints, without surrounding spaces.

    Args:
        variables: added to `environment`.

    Raises:
        InputError: it fails; gives Git's reason.
    """
    return read(*arguments, variables=variables).decode(errors="surrogateescape").strip()


def read(*arguments: str, variables: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes that Git prints; see `git`."""
    result = subprocess.run(
        ["git", *NO_HOOKS, *arguments], env=environment() | (variables or {}), capture_output=True
    )
    if result.returncode:
        reason = " ".join(result.stderr.decode(errors="replace").split()).removeprefix("fatal: ")
        raise InputError(f"git {' '.join(arguments)}: {reason}{_hint()}")
    return result.stdout


def environment() -> dict[str, str]:
    """Return the environment without the variables that name a repository, as in a Git hook."""
    kept = {name: value for name, value in os.environ.items() if name not in _local_variables()}
    return kept | {"GIT_OPTIONAL_LOCKS": "0"}  # reading must not write the index


@functools.cache
def _local_variables() -> set[str]:
    listed = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True
    )
    return set(listed.stdout.split()) - SETTINGS


def _hint() -> str:
    """Return what to do where Git may fail because history is missing."""
    shallow = subprocess.run(
        ["git", "rev-parse", "--is-shallow-repository"],
        env=environment(),
        capture_output=True,
        text=True,
    )
    if shallow.stdout.strip() != "true":
        return ""
    return "; this clone is shallow: run `git fetch --unshallow`"
