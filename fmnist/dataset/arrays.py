"""``.npz`` files whose bytes depend on their content alone, read back with their layout checked."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

from fmnist.dataset import archive
from fmnist.stage.command import InputError


def save(path: Path, **arrays: np.ndarray) -> None:
    """Write an ``.npz`` file that ``numpy.load`` reads without pickles."""

    def writer(array: np.ndarray) -> Callable[[IO[bytes]], object]:
        return lambda file: np.lib.format.write_array(
            file, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False
        )

    archive.write(path, {f"{name}.npy": writer(array) for name, array in arrays.items()})


def load(path: Path, **expected: tuple[str, tuple[int | str, ...]]) -> list[np.ndarray]:
    """Read arrays from an ``.npz`` file, each with its dtype and shape checked.

    Args:
        expected: array name → (dtype, shape); a name in a shape, such as "N", is any size, but the
            same size everywhere.

    Raises:
        InputError: names the file, what was expected and what was found.
    """
    arrays = []
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            for name in expected:
                arrays.append(file[name])
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
