"""Prepared images, as ``data/prepared/*.npz`` hold them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmnist import arrays


@dataclass(frozen=True)
class Images:
    """Normalized images float32 [N, height, width] and their labels uint8 [N]."""

    images: np.ndarray
    labels: np.ndarray

    @classmethod
    def load(cls, path: Path) -> "Images":
        """Read and check a file; see `arrays.load` for what is raised."""
        return cls(
            *arrays.load(
                path, images=("float32", ("N", "height", "width")), labels=("uint8", ("N",))
            )
        )

    def save(self, path: Path) -> None:
        """Write the file."""
        arrays.save(path, images=self.images, labels=self.labels)
