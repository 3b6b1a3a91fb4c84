"""Whether two accuracies differ, in two senses that must not be confused.

`paired` and `precision_p_value` compare two *models* over the same test images: what other test
images would change.
`between_seeds` compares two *recipes*, each under several seeds: what other seeds would change.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

LEVEL = 0.05  # rate at which chance alone is taken for a difference, half of it on either side
NOISE = "not distinguishable from noise"


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
    Price (2012), https://doi.org/10.1002/sim.5407, which is valid near 0 and 1 too.
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


def precision_p_value(actual: np.ndarray, base: np.ndarray, head: np.ndarray) -> float:
    """Test whether two models have the same precision over the same images, two-sided.

    Args:
        actual, base, head: bool [N], which images are of a class, and which each model assigns
            to it.

    The weighted generalized score test of Kosinski (2013), Statistics in Medicine 32, 964-977,
    because images that both models assign to the class count in both precisions. 1.0 where a
    model assigns no image to it.
    """
    counts = base.sum(), head.sum()
    if not all(counts):
        return 1.0
    pooled = (actual[base].sum() + actual[head].sum()) / sum(counts)
    both = base & head
    right, wrong = (both & actual).sum(), (both & ~actual).sum()
    shared = (right * (1 - pooled) ** 2 + wrong * pooled**2) / sum(counts)
    variance = (pooled * (1 - pooled) - 2 * shared) * (1 / counts[0] + 1 / counts[1])
    difference = actual[head].mean() - actual[base].mean()
    if variance <= 0 or difference == 0:
        return 1.0
    return float(2 * stats.norm.sf(abs(difference) / sqrt(variance)))


@dataclass(frozen=True)
class BetweenSeeds:
    """Two recipes, each under at least two seeds.

    Attributes:
        verdict: better, worse, or not distinguishable from noise.
        difference: of mean accuracies, head less base.
        low, high: confidence interval of the difference, at 1 - `LEVEL`.
        p_value: of Welch's test, two-sided.
    """

    verdict: str
    difference: float
    low: float
    high: float
    p_value: float


def between_seeds(base: list[float], head: list[float]) -> BetweenSeeds:
    """Compare the mean accuracies of two recipes on the same test images by Welch's t-test.

    Seeds without any spread say nothing about noise, so no difference is distinguished from it.
    """
    if min(len(base), len(head)) < 2:
        raise ValueError(
            f"expected two seeds or more on both sides, found {len(base)}, {len(head)}"
        )
    difference = float(np.mean(head) - np.mean(base))
    if min(base) == max(base) and min(head) == max(head):
        return BetweenSeeds(NOISE, difference, -1.0, 1.0, 1.0)
    found = stats.ttest_ind(head, base, equal_var=False)
    low, high = map(float, found.confidence_interval(1 - LEVEL))
    verdict = NOISE if found.pvalue >= LEVEL else "better" if difference > 0 else "worse"
    return BetweenSeeds(verdict, difference, low, high, float(found.pvalue))
