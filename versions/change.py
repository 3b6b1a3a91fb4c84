"""Whether a change is better, worse, or not distinguishable from what chance alone changes."""

from dataclasses import dataclass

from versions import seeds
from versions.version import Version

NOT_KNOWN, NONE = "not known", "none"


@dataclass(frozen=True)
class Change:
    """A verdict on a change, not on the two models at hand.

    Attributes:
        verdict: better, worse, not distinguishable from noise; `NOT_KNOWN`, or `NONE` where the
            change cannot reach the accuracy of a seed.
        reason: a phrase that says why.
    """

    verdict: str
    reason: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.reason}"


def judge(base: Version, head: Version, level: float) -> Change:
    """Compare the mean accuracies of the seeds of two versions.

    Args:
        level: rate at which chance alone is taken for a difference.
    """
    measured = [name for name in seeds.MEASURED if name in base.stages and name in head.stages]
    if len(measured) == len(seeds.MEASURED) and seeds.key(base.stages) == seeds.key(head.stages):
        if all(base.stages[name].outs == head.stages[name].outs for name in measured):
            return Change(NONE, "it cannot reach any figure")
        return Change(NONE, "nothing but the seed differs, and what that changes is chance")
    if base.test_images != head.test_images:
        return Change(NOT_KNOWN, "the two versions have other test images")
    without = [name for name, side in (("base", base), ("head", head)) if len(side.seeds) < 2]
    if without:
        return Change(NOT_KNOWN, f"run `make seeds` ({' and '.join(without)} without seeds)")
    from versions.significance import between_seeds  # SciPy

    accuracies = [[row.accuracy for row in side.seeds] for side in (base, head)]
    found = between_seeds(*accuracies)
    before, after = map(seeds.spread, accuracies)
    return Change(
        found.verdict(level),
        f"accuracy {found.difference:+.4f} (95 % interval {found.low:+.4f} to {found.high:+.4f};"
        f" Welch's test: p {found.p_value:.2g}): base {before}, head {after}",
    )
