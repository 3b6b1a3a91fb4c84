"""What DVC's own commands say."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fmnist.command import InputError


def ask(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Any:
    """Return what a command of DVC prints with ``--json``.

    Raises:
        InputError: it fails; says DVC's reason.
    """
    result = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments, "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise InputError(f"dvc {' '.join(arguments)}: {' '.join(result.stderr.split())}")
    return json.loads(result.stdout)
