"""What decides a training: parameters, data, code and packages.

Checkpoints, sweeps and seeds know trainings by a key, a hash of this. Two trainings with equal keys
have equal results.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fmnist.dataset import pins

# The dependencies of the stage train in dvc.yaml, and its groups of pins.
DEPENDENCIES = (
    "data/prepared/train.npz",
    "data/prepared/validation.npz",
    "fmnist/dataset",
    "fmnist/network",
    "fmnist/stage",
    "fmnist/train",
    "stages/__init__.py",
    "stages/train.py",
)
PINS = ("prepare", "train")


def key(decisive: Any) -> str:
    """Return the hash of a JSON value: 16 hexadecimal digits."""
    text = json.dumps(decisive, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def training_key(parameters: Any) -> str:
    """Return the key of a training in the current folder.

    Args:
        parameters: those that decide it, seed included, as JSON can hold them.

    Raises:
        FileNotFoundError: a dependency is missing.
    """
    hashes = {
        path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for dependency in DEPENDENCIES
        for path in _files(Path(dependency))
    }
    return key([parameters, hashes, pins.pinned(*PINS)])


def _files(path: Path) -> Iterator[Path]:
    return path.rglob("*.py") if path.is_dir() else iter([path])
