"""Whether two accuracies differ, in two senses that must not be confused.

`paired` compares two *models* over the same test images: what other test images would change.
`between_seeds` compares two *recipes*, each under several seeds: what other seeds would change.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

LEVEL = 0.05  # rate at which chance alone is taken for a difference


@dataclass(frozen=True)
class Paired:
    """Two models over the same images.

    Attributes:
        images: their number.
        only_base, only_head: numbers of images that only one of them gets right.
        difference: of accuracies, head less base.
        low, high: 95 % confidence interval of the difference.
        p_value: of McNemar's exact test.
    """

    images: int
    only_base: int
    only_head: int
    difference: float
    low: float
    high: float
    p_value: float


def paired(base: np.ndarray, head: np.ndarray) -> Paired:
    """Compare two models by whether they get each of the same N > 0 images right: bool [N].

    The test is McNemar's (1947), exact: under chance alone each image that only one gets right is a
    toss of a coin. The interval is the adjusted Wald interval for paired proportions of Bonett and
    Price (2012), https://doi.org/10.1002/sim.5407, which holds at the edges too.
    """
    if base.shape != head.shape or not base.size:
        raise ValueError(f"expected results of the same images, found {base.shape}, {head.shape}")
    only_base, only_head = int((base & ~head).sum()), int((head & ~base).sum())
    images, differing = base.size, only_base + only_head
    p_value = stats.binomtest(only_head, differing).pvalue if differing else 1.0
    losses, gains = (only_base + 1) / (images + 2), (only_head + 1) / (images + 2)
    margin = stats.norm.ppf(1 - LEVEL / 2) * sqrt(
        (losses + gains - (gains - losses) ** 2) / (images + 2)
    )
    return Paired(
        images,
        only_base,
        only_head,
        (only_head - only_base) / images,
        max(-1.0, gains - losses - margin),
        min(1.0, gains - losses + margin),
        float(p_value),
    )


@dataclass(frozen=True)
class BetweenSeeds:
    """Two recipes, each under at least two seeds.

    Attributes:
        difference: of mean accuracies, head less base.
        low, high: confidence interval of the difference, at 1 - level.
        p_value: of Welch's test, two-sided.
        level: rate at which chance alone is taken for a difference, half of it on either side.
    """

    difference: float
    low: float
    high: float
    p_value: float
    level: float

    @property
    def verdict(self) -> str:
        """Better, worse, or not distinguishable from noise."""
        if self.p_value >= self.level:
            return "not distinguishable from noise"
        return "better" if self.difference > 0 else "worse"


def between_seeds(base: list[float], head: list[float], level: float = LEVEL) -> BetweenSeeds:
    """Compare the mean accuracies of two recipes on the same test images by Welch's t-test.

    Seeds without any spread say nothing about noise, so nothing is told from it.
    """
    if min(len(base), len(head)) < 2:
        raise ValueError(
            f"expected two seeds or more on both sides, found {len(base)}, {len(head)}"
        )
    difference = float(np.mean(head) - np.mean(base))
    if min(base) == max(base) and min(head) == max(head):
        return BetweenSeeds(difference, -1.0, 1.0, 1.0, level)
    found = stats.ttest_ind(head, base, equal_var=False)
    low, high = found.confidence_interval(1 - level)
    return BetweenSeeds(difference, float(low), float(high), float(found.pvalue), level)
