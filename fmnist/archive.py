"""Zip files whose bytes depend on their content alone, and the ``.npz`` files made of them.

Entries are stored, because deflate differs between builds of zlib, and carry a constant date, mode
and system. ``numpy.savez`` asks for ZIP64 extras, whose bytes changed between patch versions of
CPython (https://github.com/python/cpython/issues/103861), so it is not used.
"""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from fmnist.command import InputError
from fmnist.files import replacing

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can hold
UNIX = 3


def write(path: Path, entries: Mapping[str, Callable[[IO[bytes]], object]]) -> None:
    """Write a zip file; each entry is a function that writes its content to the file it is given."""
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, write_content in entries.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = UNIX
            info.external_attr = 0o644 << 16
            with archive.open(info, "w") as entry:
                write_content(entry)


def save_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write an ``.npz`` file that ``numpy.load`` reads without pickles."""

    def writer(array: np.ndarray) -> Callable[[IO[bytes]], object]:
        return lambda file: np.lib.format.write_array(
            file, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False
        )

    write(path, {f"{name}.npy": writer(array) for name, array in arrays.items()})


def load_arrays(path: Path, **expected: tuple[str, tuple[int | str, ...]]) -> list[np.ndarray]:
    """Read arrays from an ``.npz`` file, each with its dtype and shape checked.

    Args:
        expected: array name → (dtype, shape); a name in a shape, such as "N", is a size that may be
            any, but the same wherever it stands.

    Raises:
        InputError: names the file, and what was expected and found.
    """
    arrays = []
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in expected:
                arrays.append(archive[name])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `dvc repro` makes it") from None
    except (ValueError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: expected an .npz file without pickles holding {', '.join(expected)}, found:"
            f" {' '.join(str(error).split())}; delete it and run `dvc repro`"
        ) from None
    sizes: dict[str, int] = {}
    for (name, (dtype, shape)), array in zip(expected.items(), arrays, strict=True):
        if array.ndim == len(shape):
            sizes = dict(zip(shape, array.shape, strict=True)) | sizes
        wanted = [sizes.get(size, size) if isinstance(size, str) else size for size in shape]
        if array.dtype != dtype or list(array.shape) != wanted:
            raise InputError(
                f"{path}: {name}: expected {dtype} {wanted}, found {array.dtype}"
                f" {list(array.shape)}; delete it and run `dvc repro`"
            )
    return arrays
