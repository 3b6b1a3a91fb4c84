"""The raw files of this checkout, and smaller and larger ones made of them."""

import math
import shutil
import struct
from pathlib import Path
from typing import BinaryIO

from fmnist import parameters
from fmnist.command import InputError

RAW = Path("data/raw")


def files() -> list[Path]:
    """Return the paths of the four raw files.

    Raises:
        InputError: one is not there.
    """
    paths = [RAW / name for name in parameters.load()["fetch"]["sha256"]]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such file; `dvc repro fetch` gets it")
    return paths


def first(source: Path, target: Path, count: int) -> None:
    """Write an IDX file of another's first ``count`` items, or of all if they are fewer.

    See `fmnist.preprocess.idx`.
    """
    with source.open("rb") as file, target.open("wb") as copy:
        magic, total, sizes = _header(file)
        kept = min(count, total)
        copy.write(magic + struct.pack(f">{magic[3]}I", kept, *sizes))
        copy.write(file.read(kept * math.prod(sizes)))


def repeat(source: Path, target: Path, times: int) -> int:
    """Write an IDX file of another's items, all of them ``times`` times; return their number.

    See `fmnist.preprocess.idx`. Copied in pieces: a benchmark of memory holds no data itself.
    """
    with source.open("rb") as file, target.open("wb") as copy:
        magic, count, sizes = _header(file)
        copy.write(magic + struct.pack(f">{magic[3]}I", count * times, *sizes))
        start = file.tell()
        for _ in range(times):
            file.seek(start)
            shutil.copyfileobj(file, copy)
    return count * times


def _header(file: BinaryIO) -> tuple[bytes, int, list[int]]:
    """Return an IDX file's first four bytes, its number of items and the sizes of an item."""
    magic = file.read(4)
    count, *sizes = struct.unpack(f">{magic[3]}I", file.read(4 * magic[3]))
    return magic, count, sizes
