"""Whether a change is better, worse, or not distinguishable from what chance alone changes."""

from dataclasses import dataclass

from fmnist.versions import seeds
from fmnist.versions.drift import Drift
from fmnist.versions.significance import LEVEL, between_seeds
from fmnist.versions.version import Version

NOT_KNOWN, NONE = "not known", "none"


@dataclass(frozen=True)
class Change:
    """A verdict on a change, not on the two models at hand.

    Attributes:
        verdict: better, worse, not distinguishable from noise; `NOT_KNOWN`, or `NONE` where the
            change cannot affect the accuracy of a seed.
        reason: a phrase that says why.
    """

    verdict: str
    reason: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.reason}"


def judge(base: Version, head: Version, not_run: list[Drift]) -> Change:
    """Compare the mean accuracies of the seeds of two versions.

    Args:
        not_run: what of head is not as its dvc.lock recorded it.
    """
    if any(found.stage in seeds.MEASURED for found in not_run):
        return Change(NOT_KNOWN, "head is not what was run: `dvc repro`")
    if stages := other_results(base, head):
        return Change(NOT_KNOWN, f"{', '.join(stages)}: the same inputs, other results")
    if base.key is not None and base.key == head.key:
        if base.seed == head.seed:
            return Change(NONE, "it cannot affect any metric")
        return Change(NONE, "only the seed differs, and its effect is chance")
    if base.test_images != head.test_images:
        return Change(NOT_KNOWN, "base and head have other test images")
    without = [name for name, side in (("base", base), ("head", head)) if len(side.seeds) < 2]
    if without:
        return Change(NOT_KNOWN, f"run `make seeds` ({' and '.join(without)} without seeds)")
    accuracies = [[row.accuracy for row in side.seeds] for side in (base, head)]
    found = between_seeds(*accuracies)
    before, after = map(seeds.spread, accuracies)
    return Change(
        found.verdict,
        f"accuracy {found.difference:+.4f} ({100 * (1 - LEVEL):g} % interval {found.low:+.4f} to"
        f" {found.high:+.4f}; Welch's test: p {found.p_value:.2g}): base {before}, head {after}",
    )


def other_results(base: Version, head: Version) -> list[str]:
    """Return the stages that have the same inputs but other outputs, which should be none."""
    return [
        name
        for name, stage in head.stages.items()
        if name in base.stages
        and stage.model_dump(exclude={"outs"}) == base.stages[name].model_dump(exclude={"outs"})
        and stage.outs != base.stages[name].outs
    ]
