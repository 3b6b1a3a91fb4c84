"""Keep the state of an unfinished training, so that the next run resumes it."""

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np

from fmnist.stage.files import replacing
from fmnist.train.training import Arrays

DIGEST = hashlib.sha256().digest_size


def encode(state: Arrays) -> bytes:
    """Return the SHA-256 of an ``.npz`` file, and the file."""
    content = io.BytesIO()
    np.savez(content, **state)
    return hashlib.sha256(content.getbuffer()).digest() + content.getvalue()


def decode(content: bytes) -> Arrays | None:
    """Return what `encode` was given; None if the content is damaged."""
    if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
        return None
    with np.load(io.BytesIO(content[DIGEST:]), allow_pickle=False) as file:
        return dict(file)


class Checkpoint:
    """The file of a training, named by the key of everything that decides its result.

    A training that differs in anything has a file of its own, so it never resumes this one.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._path = folder / key

    def load(self) -> Arrays | None:
        """Return the last saved state; None if there is none, or if the file is damaged."""
        if not self._path.exists():
            return None
        state = decode(self._path.read_bytes())
        if state is None:
            warnings.warn(f"{self._path}: damaged; training starts again", stacklevel=2)
        return state

    def save(self, state: Arrays) -> None:
        """Replace the saved state in one step."""
        with replacing(self._path) as file:
            file.write(encode(state))

    def remove(self) -> None:
        """Delete the file, and its folder once that is empty."""
        self._path.unlink(missing_ok=True)
        if self._path.parent.is_dir() and not any(self._path.parent.iterdir()):
            self._path.parent.rmdir()
