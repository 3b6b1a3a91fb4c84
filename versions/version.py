"""One side of a comparison: what Git holds of a version and its results."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fmnist.command import InputError
from versions import lock_file, seeds
from versions.checkout import git
from versions.lock_file import Stage

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Version:
    """A checkout.

    Attributes:
        folder: the project's top folder.
        name: what a person calls it.
        stages: what its dvc.lock says.
        seeds: the rows of `seeds.PATH` that its dvc.lock still stands for.
    """

    folder: Path
    name: str
    stages: dict[str, Stage]
    seeds: list[seeds.Row]

    @classmethod
    def read(cls, folder: Path, name: str) -> "Version":
        """Read a checkout.

        Raises:
            InputError: it holds no pipeline that was run.
        """
        path = folder / lock_file.PATH
        if not path.exists():
            raise InputError(
                f"{name}: expected a pipeline that was run, found no {lock_file.PATH};"
                " compare with a revision that has one"
            )
        stages = lock_file.read(path)
        return cls(folder, name, stages, seeds.current(folder, stages))

    @property
    def test_images(self) -> list[str]:
        """Hashes of the raw test images and their labels."""
        return [
            file.md5
            for stage in self.stages.values()
            for file in stage.outs
            if file.path.startswith("data/raw/t10k-")
        ]

    def history(self) -> "pd.DataFrame | None":
        """Return the figures of each epoch, none if there are none."""
        return self._table("plots/history.csv", ["epoch"])

    def predictions(self) -> "pd.DataFrame | None":
        """Return the actual and the predicted class of each test image, none if there are none."""
        return self._table("plots/predictions.csv", ["actual", "predicted"])

    def _table(self, path: str, columns: list[str]) -> "pd.DataFrame | None":
        import pandas as pd

        if not (self.folder / path).exists():
            return None
        try:
            table = pd.read_csv(self.folder / path)
        except (ValueError, UnicodeDecodeError) as error:
            raise InputError(f"{self.name}: {path}: expected CSV: {error}") from None
        if missing := [name for name in columns if name not in table]:
            raise InputError(
                f"{self.name}: {path}: expected the columns {', '.join(columns)}, found no"
                f" {', '.join(missing)}"
            )
        return table


def where_main_was_left() -> str:
    """Return the commit, shortened, where the current branch left the main one.

    Raises:
        InputError: there is no main branch, neither here nor at the origin.
    """
    for branch in ("main", "origin/main"):
        try:
            return git("rev-parse", "--short", git("merge-base", branch, "HEAD"))
        except InputError as error:
            reason = error
    raise InputError(f"{reason}; name a revision with BASE=")
