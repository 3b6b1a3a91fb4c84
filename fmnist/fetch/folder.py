"""A folder of this machine as a mirror."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fmnist.fetch.mirror import MirrorError


class FolderMirror:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See `Mirror`."""
        for path in (self._folder / f"{name}.gz", self._folder / name):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise MirrorError(f"{path}: {error.strerror}") from None
            with file:
                yield file
            return
        raise MirrorError(f"holds neither {name}.gz nor {name}")
