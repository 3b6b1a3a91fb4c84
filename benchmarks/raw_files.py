"""The raw files of this checkout, and larger ones made of them."""

from pathlib import Path

import numpy as np

from fmnist.preprocess import idx

RAW = Path("data/raw")


def read() -> dict[str, np.ndarray]:
    """Return the arrays of the four raw files, by the files' names.

    Raises:
        InputError: a file is missing or damaged.
    """
    arrays = {}
    for part in ("train", "t10k"):
        images_name, labels_name = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
        arrays[images_name] = images = idx.read_images(RAW / images_name)
        arrays[labels_name] = idx.read_labels(RAW / labels_name, images)
    return arrays


def repeat(folder: Path, times: int) -> None:
    """Write the raw files into ``folder``, each with all its items ``times`` times, in order."""
    for name, array in read().items():
        (folder / name).write_bytes(idx.encode(np.concatenate([array] * times)))
