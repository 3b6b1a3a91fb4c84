"""Everything that a report on two versions says, as values."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fmnist.command import InputError
from fmnist.dataset import Images
from versions import confusion, dvc_command, metrics
from versions.causes import Artifact, artifacts, causes
from versions.change import Change, judge
from versions.confusion import ClassChange
from versions.drift import drift
from versions.metrics import Metric
from versions.significance import LEVEL, Paired, paired
from versions.version import Version

TEST_IMAGES = Path("data/prepared/test.npz")


@dataclass(frozen=True)
class Comparison:
    """A version, head, against an earlier one, base.

    Attributes:
        models: the two networks over the same test images, or why they cannot be compared.
        change: whether the change between the versions is real.
        parameters: for each file and key ``old`` and ``new``, as `dvc params diff` says.
        causes: for each stage that differs, which of its inputs do.
        histories: of base and head; none where a side has none.
        predictions: of the test images: ``actual``, ``base``, ``head``; none without ``models``.
        test: the test images, if they are here.
        notes: what is missing, and how to get it.
    """

    base: str
    head: str
    models: Paired | str
    change: Change
    parameters: dict[str, dict[str, dict[str, Any]]]
    causes: dict[str, list[str]]
    artifacts: list[Artifact]
    metrics: list[Metric]
    classes: list[ClassChange]
    confusions: list[confusion.Confusion]
    histories: tuple[pd.DataFrame, pd.DataFrame] | None
    predictions: pd.DataFrame | None
    test: Images | None
    notes: list[str]


def compare(base: Version, head: Version, commit: str) -> Comparison:
    """Compare two versions.

    Args:
        head: the checkout that DVC's own commands are to compare with ``commit``, that of ``base``.

    Raises:
        InputError: DVC or a table of results refuses; says why.
    """
    notes = [
        f"{found.stage}: `{found.what}` is not what dvc.lock recorded, and the results are of what"
        " it recorded: run `dvc repro`"
        for found in drift(head.folder, head.stages)
    ]
    predictions, test = None, None
    try:
        predictions = confusion.side_by_side(base, head)
    except InputError as reason:
        models = str(reason)
    else:
        right = predictions[["base", "head"]].eq(predictions["actual"], axis=0)
        models = paired(right["base"].to_numpy(), right["head"].to_numpy())
        test = _test_images(head)
        if test is None:
            notes.append(
                f"no gallery of images, for {TEST_IMAGES} is not here, or not that of dvc.lock:"
                " run `dvc pull` or `dvc repro`"
            )
    histories = base.history(), head.history()
    for name, history in zip((base.name, head.name), histories, strict=True):
        if history is None:
            notes.append(f"no learning curves: {name} has no plots/history.csv")
    figures = dvc_command.ask(head.folder, "metrics", "diff", "--all", commit)
    return Comparison(
        base.name,
        head.name,
        models,
        judge(base, head, LEVEL),
        dvc_command.ask(head.folder, "params", "diff", commit),
        causes(base.stages, head.stages),
        artifacts(base.stages, head.stages),
        metrics.compare(figures, models if isinstance(models, Paired) else None),
        [] if predictions is None else confusion.by_class(predictions),
        [] if predictions is None else confusion.most_changed(predictions),
        None if any(history is None for history in histories) else histories,
        predictions,
        test,
        notes,
    )


def _test_images(version: Version) -> Images | None:
    """Return the prepared test images, if these are the ones that the predictions are of."""
    path = version.folder / TEST_IMAGES
    recorded = [
        file.md5
        for stage in version.stages.values()
        for file in stage.outs
        if Path(file.path) == TEST_IMAGES
    ]
    if not path.exists() or hashlib.md5(path.read_bytes()).hexdigest() not in recorded:
        return None
    return Images.load(path)
