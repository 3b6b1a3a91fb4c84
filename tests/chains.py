"""The sums of the numeric contract in NumPy: chains of fused multiply-adds."""

import numpy as np


def fused_multiply_add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return a * b + c, rounded once: float32 in and out.

    A product of two float32 is exact in float64. Its sum with `c` is rounded to odd, so that the
    second rounding, to float32, gives what one would (Boldo and Melquiond 2008, theorem 3,
    https://doi.org/10.1109/TC.2007.70819).
    """
    exact, c = a.astype(np.float64) * b, c.astype(np.float64)
    rounded = exact + c
    part = rounded - exact
    error = (exact - (rounded - part)) + (c - part)
    even = rounded.view(np.int64) % 2 == 0
    towards = np.where(error > 0, np.inf, -np.inf)
    odd = np.where((error != 0) & even, np.nextafter(rounded, towards), rounded)
    return odd.astype(np.float32)


def chain(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a float32 [M, K] times b float32 [K, N]; an element adds over K in order."""
    total = np.zeros((len(a), b.shape[1]), np.float32)
    for k in range(a.shape[1]):
        total = fused_multiply_add(a[:, k, None], b[None, k], total)
    return total


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)
