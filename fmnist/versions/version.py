"""One side of a comparison: what Git has of a version and its results."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fmnist.pipeline import lock_file
from fmnist.pipeline.lock_file import Stage
from fmnist.stage import dotted
from fmnist.stage.command import InputError
from fmnist.versions import seeds


@dataclass(frozen=True)
class Version:
    """A checkout.

    Attributes:
        folder: the project's top folder.
        stages: the content of its dvc.lock.
        key: of all that decides its metrics but the seed; none if stages are missing.
        seeds: the rows of `seeds.PATH` with this key.
    """

    folder: Path
    stages: dict[str, Stage]
    key: str | None
    seeds: list[seeds.Row]

    @classmethod
    def read(cls, folder: Path, name: str) -> "Version":
        """Read a checkout, which messages call ``name``.

        Raises:
            InputError: its pipeline was never run.
        """
        path = folder / lock_file.PATH
        if not path.exists():
            raise InputError(
                f"{name}: expected a pipeline that was run, found no {lock_file.PATH};"
                " compare with a revision that has one"
            )
        try:
            stages = lock_file.read(path)
        except InputError as error:
            raise InputError(f"{name}: {str(error).replace(f'{folder}/', '')}") from None
        key = seeds.key(stages) if set(seeds.MEASURED) <= set(stages) else None
        try:
            rows = [row for row in seeds.read(folder / seeds.PATH) if row.key == key]
        except InputError as error:
            warnings.warn(f"{name}: {str(error).replace(f'{folder}/', '')}", stacklevel=2)
            rows = []
        return cls(folder, stages, key, rows)

    @property
    def seed(self) -> int | None:
        """The seed of the training that dvc.lock records."""
        params = self.stages["train"].params if "train" in self.stages else {}
        return dotted.get(params.get("params.yaml"), "train.seed")

    @property
    def test_images(self) -> list[str]:
        """Hashes of the raw test images and their labels."""
        written = lock_file.outs(self.stages)
        return [md5 for path, md5 in written.items() if path.startswith("data/raw/t10k-")]

    def is_recorded(self, path: Path) -> bool:
        """Return whether an output is here, as dvc.lock recorded it."""
        md5 = lock_file.md5(self.folder / path)
        return md5 is not None and md5 == lock_file.outs(self.stages).get(path.as_posix())

    def history(self) -> pd.DataFrame:
        """Return the metrics of each epoch; see `_table`."""
        columns = ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
        return self._table("plots/history.csv", columns, float)

    def predictions(self) -> pd.DataFrame:
        """Return the actual and the predicted class of each test image; see `_table`."""
        return self._table("plots/predictions.csv", ["actual", "predicted"], str)

    def _table(self, path: str, columns: list[str], kind: type) -> pd.DataFrame:
        """Read a table of results.

        Raises:
            InputError: it is missing, is not as dvc.lock recorded it, or is no such table.
        """
        if not self.is_recorded(Path(path)):
            raise InputError(f"{path} is missing, or is not what dvc.lock recorded")
        try:
            kinds = dict.fromkeys(columns, kind)
            table = pd.read_csv(self.folder / path, dtype=kinds, keep_default_na=kind is float)
        except ValueError as error:
            raise InputError(f"{path}: expected a table: {error}") from None
        if list(table)[: len(columns)] != columns or table.empty or table.isin([""]).any(axis=None):
            raise InputError(f"{path}: expected rows of {', '.join(columns)}, found other ones")
        return table
