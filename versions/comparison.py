"""Everything that a report on two versions says, as values."""

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
from versions.significance import Paired, paired
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


def compare(base: Version, head: Version, commit: str, level: float) -> Comparison:
    """Compare two versions.

    Args:
        head: the checkout that DVC's own commands are to compare with ``commit``, that of ``base``.
        level: see `judge`.

    Raises:
        InputError: DVC refuses; says why.
    """
    not_run = drift(head.folder, head.stages)
    notes = [f"{found.stage}: `{found.what}` is not what dvc.lock recorded" for found in not_run]
    if not_run:
        notes.append("the figures of head are those that are here: run `dvc repro`")
    models, predictions, test, histories = None, None, None, None
    try:
        predictions = confusion.side_by_side(base, head)
    except InputError as error:
        models = str(error)
    else:
        right = predictions[["base", "head"]].eq(predictions["actual"], axis=0)
        models = paired(right["base"].to_numpy(), right["head"].to_numpy())
        if head.is_recorded(TEST_IMAGES):
            test = Images.load(head.folder / TEST_IMAGES)
        else:
            notes.append(
                f"no gallery of images: `{TEST_IMAGES}` is not here, or not that of dvc.lock; run"
                " `dvc pull` or `dvc repro`"
            )
    try:
        histories = base.history(), head.history()
    except InputError as error:
        notes.append(f"no learning curves: {error}")
    figures = dvc_command.ask(head.folder, "metrics", "diff", "--all", commit)
    return Comparison(
        models,
        judge(base, head, not_run, level),
        dvc_command.ask(head.folder, "params", "diff", commit),
        causes(base.stages, head.stages),
        artifacts(base.stages, head.stages),
        metrics.compare(figures, models if isinstance(models, Paired) else None),
        [] if predictions is None else confusion.by_class(predictions),
        [] if predictions is None else confusion.most_changed(predictions),
        histories,
        predictions,
        test,
        notes,
    )
