"""Keep the state of an unfinished training, so that a killed one goes on where it was."""

import hashlib
import io
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fmnist.files import replacing
from fmnist.train.state import Arrays


class Checkpoint:
    """One file: its SHA-256 and an ``.npz``, named by a hash of everything that decides the result.

    A training with anything else, be it a parameter, an image, a version or a line of code, has a
    file of its own, so that it never resumes this one.
    """

    def __init__(self, folder: Path, decisive: Any) -> None:
        """Args: decisive: parameters, hashes of data and so on, as JSON can hold them."""
        text = json.dumps([decisive, _code()], sort_keys=True)
        self._path = folder / hashlib.sha256(text.encode()).hexdigest()

    def load(self) -> Arrays | None:
        """Return what was saved last; None if nothing was, or if the file is damaged."""
        if not self._path.exists():
            return None
        whole = self._path.read_bytes()
        digest, content = whole[:32], whole[32:]
        if hashlib.sha256(content).digest() != digest:
            warnings.warn(f"{self._path}: damaged; training starts anew", stacklevel=2)
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return dict(file)

    def save(self, state: Arrays) -> None:
        """Replace what was saved, in one step."""
        content = io.BytesIO()
        np.savez(content, **state)
        with replacing(self._path) as file:
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())

    def remove(self) -> None:
        """Forget it, and the folder with the last one."""
        self._path.unlink(missing_ok=True)
        if self._path.parent.is_dir() and not any(self._path.parent.iterdir()):
            self._path.parent.rmdir()


def _code() -> dict[str, str]:
    """Return the hash of each loaded file of the library, and of the program that runs."""
    return {
        name: hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()
        for name, module in sys.modules.items()
        if name.startswith(("fmnist", "__main__")) and getattr(module, "__file__", None)
    }
