"""Zip files whose bytes depend on their content alone.

Entries are stored, because deflate differs between builds of zlib, and carry a constant date, mode
and system. ``numpy.savez`` asks for ZIP64 extras, whose bytes changed between patch versions of
CPython (https://github.com/python/cpython/issues/103861), so ``.npz`` files are written here too.
"""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from fmnist.stage.files import replacing

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can hold
UNIX = 3


def write(path: Path, entries: Mapping[str, Callable[[IO[bytes]], object]]) -> None:
    """Write a zip file; an entry is a function that writes its content to the file it is given."""
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, write_content in entries.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = UNIX
            info.external_attr = 0o644 << 16
            with archive.open(info, "w") as entry:
                write_content(entry)
