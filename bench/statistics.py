"""Intervals around what was measured. Pure functions of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


def bootstrap_mean(values: NDArray, *, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over images (Efron, 1979), for values (images,).

    A resample of n images counts each of them a multinomial number of times.
    """
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for i in range(resamples):
        means[i] = values[rng.integers(0, n, n)].mean()
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's score interval of a proportion (J. Am. Stat. Assoc. 22, 209, 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(int(successes), int(n)).proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)
