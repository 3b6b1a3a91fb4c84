"""Statistics, against formulas computed independently and against simulated chance."""

from fractions import Fraction
from math import comb, sqrt

import numpy as np
import pytest

from fmnist.versions import significance
from fmnist.versions.significance import between_seeds, paired


def results(both: int, only_base: int, only_head: int, neither: int) -> list[np.ndarray]:
    base = [True] * (both + only_base) + [False] * (only_head + neither)
    head = [True] * both + [False] * only_base + [True] * only_head + [False] * neither
    return [np.array(base), np.array(head)]


def exact_p(only_base: int, only_head: int) -> float:
    """Return McNemar's p-value as a sum of tosses that are no more probable."""
    tosses = only_base + only_head
    chances = [Fraction(comb(tosses, heads), 2**tosses) for heads in range(tosses + 1)]
    return float(sum(chance for chance in chances if chance <= chances[only_head]))


@pytest.mark.parametrize(
    "counts",
    [
        (90, 0, 0, 10),
        (90, 1, 0, 9),
        (0, 100, 0, 0),
        (0, 0, 100, 0),
        (70, 13, 4, 13),
        (9, 50, 50, 1),
    ],
    ids=str,
)
def test_models_are_compared_by_the_exact_test_of_mcnemar(counts):
    found = paired(*results(*counts))
    _, only_base, only_head, _ = counts
    assert (found.only_base, found.only_head) == (only_base, only_head)
    assert found.p_value == pytest.approx(exact_p(only_base, only_head), rel=1e-12)
    assert found.difference == pytest.approx((only_head - only_base) / sum(counts))
    assert -1 <= found.low <= found.difference <= found.high <= 1


def test_the_interval_is_that_of_bonett_and_price():
    found = paired(*results(70, 13, 4, 13))
    losses, gains = 14 / 102, 5 / 102
    margin = 1.959963984540054 * sqrt((losses + gains - (gains - losses) ** 2) / 102)
    assert (found.low, found.high) == pytest.approx(
        (gains - losses - margin, gains - losses + margin), rel=1e-12
    )


def test_the_interval_contains_the_true_difference_at_the_stated_rate():
    random = np.random.default_rng(0)
    truth, held = 0.09 - 0.05, 0
    for _ in range(2000):
        kind = random.choice(4, size=500, p=[0.8, 0.05, 0.09, 0.06])
        found = paired(np.isin(kind, [0, 1]), np.isin(kind, [0, 2]))
        held += found.low <= truth <= found.high
    assert held / 2000 == pytest.approx(0.95, abs=0.02)


def test_results_of_other_images_are_refused():
    with pytest.raises(ValueError, match="expected results of the same images"):
        paired(np.ones(3, bool), np.ones(4, bool))


def test_recipes_are_compared_by_the_test_of_welch():
    base, head = [0.880, 0.884, 0.877, 0.881], [0.886, 0.889, 0.884]
    found = between_seeds(base, head)
    errors = [np.var(side, ddof=1) / len(side) for side in (base, head)]
    difference = np.mean(head) - np.mean(base)
    freedom = sum(errors) ** 2 / (errors[0] ** 2 / 3 + errors[1] ** 2 / 2)
    # Student's t by integrating its density, which needs no library of statistics.
    grid = np.linspace(0, difference / np.sqrt(sum(errors)), 200_001)
    density = (1 + grid**2 / freedom) ** (-(freedom + 1) / 2)
    whole = np.linspace(0, 2000, 4_000_001)
    total = np.trapezoid((1 + whole**2 / freedom) ** (-(freedom + 1) / 2), whole)
    assert found.difference == pytest.approx(difference)
    assert found.p_value == pytest.approx(1 - np.trapezoid(density, grid) / total, abs=1e-4)
    assert found.low < difference < found.high


def test_pairs_that_differ_only_by_the_seed_are_called_noise_at_the_stated_rate():
    random = np.random.default_rng(1)
    real = [
        between_seeds(*random.normal(0.88, 0.003, (2, 5)).tolist()).verdict for _ in range(2000)
    ]
    rate = 1 - real.count("not distinguishable from noise") / len(real)
    assert rate == pytest.approx(0.05, abs=0.015)


def test_a_real_change_is_called_by_its_name():
    random = np.random.default_rng(2)
    base, head = random.normal(0.88, 0.003, 5).tolist(), random.normal(0.91, 0.003, 5).tolist()
    assert between_seeds(base, head).verdict == "better"
    assert between_seeds(head, base).verdict == "worse"


@pytest.mark.parametrize("head", [0.5, 0.6])
def test_seeds_without_spread_distinguish_nothing_from_noise(head):
    found = between_seeds([0.5, 0.5], [head, head])
    assert found.verdict == "not distinguishable from noise"
    assert (found.low, found.high) == (-1, 1)


def test_the_verdict_is_that_of_the_interval_at_the_same_level(monkeypatch):
    random = np.random.default_rng(3)
    for level in (0.01, 0.05, 0.2):
        monkeypatch.setattr(significance, "LEVEL", level)
        for _ in range(200):
            found = between_seeds(*random.normal([[0.880], [0.884]], 0.003, (2, 4)).tolist())
            assert (found.low > 0) == (found.verdict == "better")
            assert (found.high < 0) == (found.verdict == "worse")


def test_one_seed_is_refused():
    with pytest.raises(ValueError, match="expected two seeds or more on both sides, found 1, 5"):
        between_seeds([0.5], [0.5] * 5)
