"""Prepared images, as ``data/prepared/*.npz`` hold them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmnist.dataset import arrays
from fmnist.stage.command import InputError


@dataclass(frozen=True)
class Images:
    """Normalized images float32 [N, height, width] and their labels uint8 [N]."""

    images: np.ndarray
    labels: np.ndarray

    @classmethod
    def load(cls, path: Path, like: "Images | None" = None) -> "Images":
        """Read and check a file.

        Args:
            like: images whose height and width these must have.

        Raises:
            InputError: as `arrays.load`, or images of another size.
        """
        loaded = cls(
            *arrays.load(
                path, images=("float32", ("N", "height", "width")), labels=("uint8", ("N",))
            )
        )
        if like is not None and loaded.images.shape[1:] != like.images.shape[1:]:
            raise InputError(
                f"{path}: expected images of {list(like.images.shape[1:])} pixels, found"
                f" {list(loaded.images.shape[1:])}; delete it and run `dvc repro`"
            )
        return loaded

    def save(self, path: Path) -> None:
        """Write the file."""
        arrays.save(path, images=self.images, labels=self.labels)
