"""The one way to run DVC's commands."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fmnist.stage.command import InputError

PUSH_LIST = Path("make-push.dvc")  # which `commands.push` writes, and leaves if it is killed


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return variables with which DVC and its stages use the programs beside this Python."""
    return {**base, "PATH": f"{Path(sys.executable).parent}:{base['PATH']}"}


def run(
    *arguments: str,
    folder: Path = Path(),
    variables: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run DVC, which reports its own errors.

    Args:
        variables: its environment, whose PATH finds DVC; see `environment`, the default.
        options: of `subprocess.run`.
    """
    return subprocess.run(
        ["dvc", *arguments], cwd=folder, env=variables or environment(), text=True, **options
    )


def ask(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Any:
    """Return what a command of DVC prints with ``--json``.

    Raises:
        InputError: it fails; gives DVC's reason.
    """
    result = run(*arguments, "--json", folder=folder, variables=variables, capture_output=True)
    if result.returncode:
        raise InputError(f"dvc {' '.join(arguments)}: {' '.join(result.stderr.split())}")
    return json.loads(result.stdout)


def cache() -> Path:
    """Return the cache of the current folder.

    Raises:
        InputError: DVC cannot tell.
    """
    result = run("cache", "dir", stdout=subprocess.PIPE)
    if result.returncode:
        raise InputError("dvc cache dir: it fails; see above")
    return Path(result.stdout.strip()).resolve()
