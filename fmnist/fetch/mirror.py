"""What a mirror is: a place that holds the raw files, compressed or not."""

from contextlib import AbstractContextManager
from typing import IO, Protocol


class MirrorError(Exception):
    """A mirror did not give a file; the message is the reason."""


class BrokenOffError(MirrorError):
    """A connection had been made, so that another try may help."""


class Mirror(Protocol):
    """Opens ``<name>.gz`` or ``<name>``, whichever it holds."""

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open one of them for reading; raise `MirrorError`."""
