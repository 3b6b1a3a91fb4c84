"""Read and write the IDX files of MNIST and its kin, strictly.

Format: http://yann.lecun.com/exdb/mnist/ (big-endian; two zero bytes, a type, the number of
dimensions, their sizes, the data).
"""

import struct
from pathlib import Path

import numpy as np

from fmnist.dataset.classes import CLASSES
from fmnist.stage.command import InputError

UNSIGNED_BYTE = 0x08


def read_images(path: Path, like: np.ndarray | None = None) -> np.ndarray:
    """Return images uint8 [N, height, width] in 0..255, N > 0.

    Args:
        like: images whose height and width these must have.

    Raises:
        InputError: the file is not a whole IDX file of such images; names the file.
    """
    images = _read(path, "images", dimensions=3)
    if like is not None and images.shape[1:] != like.shape[1:]:
        raise InputError(
            _fault(path, f"images of {list(like.shape[1:])} pixels", f"{list(images.shape[1:])}")
        )
    return images


def read_labels(path: Path, images: np.ndarray) -> np.ndarray:
    """Return labels uint8 [N] in 0..9, one for each of ``images``.

    Raises:
        InputError: not a whole IDX file of labels, another N, or a label out of range.
    """
    labels = _read(path, "labels", dimensions=1)
    if len(labels) != len(images):
        raise InputError(
            f"{path}: expected a label for each of the {len(images)} images beside it, found"
            f" {len(labels)}; delete both files and run `dvc repro`"
        )
    if labels.max() >= len(CLASSES):
        raise InputError(_fault(path, f"labels 0 to {len(CLASSES) - 1}", f"{labels.max()}"))
    return labels


def encode(array: np.ndarray) -> bytes:
    """Return the content of an IDX file that holds ``array``, uint8 of any shape."""
    magic = bytes([0, 0, UNSIGNED_BYTE, array.ndim])
    return magic + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def _read(path: Path, what: str, dimensions: int) -> np.ndarray:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `dvc repro fetch` gets it") from None
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if content[:4] != magic:
        raise InputError(
            _fault(
                path,
                f"IDX {what} (magic number {magic.hex()})",
                f"{content[:4].hex() or 'an empty file'}",
            )
        )
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise InputError(_fault(path, f"a header of {header} bytes", f"{len(content)} bytes"))
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if 0 in shape:
        raise InputError(_fault(path, f"at least one of the {what}", f"sizes {list(shape)}"))
    size = header + int(np.prod(shape, dtype=object))
    if len(content) != size:
        raise InputError(_fault(path, f"{size} bytes for sizes {list(shape)}", f"{len(content)}"))
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _fault(path: Path, expected: str, found: str) -> str:
    return f"{path}: expected {expected}, found {found}; delete it and run `dvc repro`"
