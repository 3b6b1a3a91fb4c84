"""Everything that a report on two versions contains, as values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fmnist.dataset.images import Images
from fmnist.pipeline import dvc_command
from fmnist.stage.command import InputError
from fmnist.versions import confusion, metric_differences
from fmnist.versions.causes import Artifact, artifacts, causes
from fmnist.versions.change import Change, judge
from fmnist.versions.confusion import ClassChange, Confusion
from fmnist.versions.drift import drift
from fmnist.versions.metric_differences import Metric
from fmnist.versions.significance import Paired, paired
from fmnist.versions.version import Version

TEST_IMAGES = Path("data/prepared/test.npz")


@dataclass(frozen=True)
class Comparison:
    """A version, head, against an earlier one, base.

    Attributes:
        models: the two networks over the same test images, or why they cannot be compared.
        change: whether the change between the versions is real.
        parameters: for each file and key ``old`` and ``new``, as `dvc params diff` prints them.
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
    confusions: list[Confusion]
    histories: tuple[pd.DataFrame, pd.DataFrame] | None
    predictions: pd.DataFrame | None
    test: Images | None
    notes: list[str]


def compare(base: Version, head: Version, commit: str) -> Comparison:
    """Compare two versions.

    Args:
        head: the checkout that DVC's own commands compare with ``commit``, that of ``base``.

    Raises:
        InputError: DVC fails; gives its reason.
    """
    not_run = drift(head.folder, head.stages)
    notes = [f"{found.stage}: `{found.what}` is not what dvc.lock recorded" for found in not_run]
    if not_run:
        notes.append("the metrics of head are those of the files here: run `dvc repro`")
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
                f"no gallery of images: `{TEST_IMAGES}` is missing, or is not what dvc.lock"
                " recorded; run `dvc pull` or `dvc repro`"
            )
    try:
        histories = base.history(), head.history()
    except InputError as error:
        notes.append(f"no learning curves: {error}")
    figures = dvc_command.ask(head.folder, "metrics", "diff", "--all", commit)
    return Comparison(
        models,
        judge(base, head, not_run),
        dvc_command.ask(head.folder, "params", "diff", commit),
        causes(base.stages, head.stages),
        artifacts(base.stages, head.stages),
        metric_differences.compare(figures, models if isinstance(models, Paired) else None),
        [] if predictions is None else confusion.by_class(predictions),
        [] if predictions is None else confusion.most_changed(predictions),
        histories,
        predictions,
        test,
        notes,
    )
