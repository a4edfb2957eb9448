"""Intervals and tests for what was measured. Pure functions of arrays; the image is what is resampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
_Z2 = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2  # scipy.stats would take longer to import than a run to tabulate
ALL_SIGNS, ALL_SIGNS_OF_TIES = 50, 13  # images of which the signed-rank test takes every assignment of signs, at most
_CACHED = 2**14  # numbers that stay in a processor's cache


@dataclass(frozen=True)
class Paired:
    """How two methods differ on the same images.

    Attributes:
        difference: mean of a − b, with the bounds `low` and `high` of its bootstrap interval.
        p: of the Wilcoxon signed-rank test, before any correction for several comparisons.
        win_rate: share of the images on which a is lower than b; a tie counts half.
    """

    images: int
    difference: float
    low: float
    high: float
    p: float
    win_rate: float


def bootstrap_mean(values: NDArray, *, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over images (Efron, 1979), for values (images,); NaN for a single one.

    A resample draws n of the n images with replacement.
    """
    return bootstrap_means([values], resamples=resamples, seed=seed)[0]


def bootstrap_means(samples: Sequence[NDArray], *, resamples: int = 2000, seed: int = 0) -> list[tuple[float, float]]:
    """`bootstrap_mean` of each of these samples (images,); those of the same length are resampled by the same draws,
    which take most of the time."""
    alike: dict[int, list[int]] = {}
    for i, sample in enumerate(samples):
        alike.setdefault(len(sample), []).append(i)
    found = [(float("nan"), float("nan"))] * len(samples)
    for length, members in alike.items():
        if length > 1:
            means = resampled_means(np.stack([samples[i] for i in members], axis=1), resamples=resamples, seed=seed)
            for i, column in zip(members, means.T, strict=True):
                found[i] = percentile_interval(column)
    return found


def resampled_means(values: NDArray, *, resamples: int = 2000, seed: int = 0) -> NDArray[np.float64]:
    """(resamples, columns) means of values (images, columns) over images that are drawn with replacement.

    All columns have the same draws: the means of a difference are the differences of these means.
    """
    values = np.asarray(values, dtype=np.float64)
    n, columns = values.shape
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, columns))
    at_once = max(1, _CACHED // n)  # of few images, a resample by itself takes numpy longer to call than to compute
    for first in range(0, resamples, at_once):
        several = min(at_once, resamples - first)
        draws = rng.integers(0, n, (several, n)) + n * np.arange(several)[:, None]
        counts = np.bincount(draws.ravel(), minlength=several * n).reshape(several, n)
        means[first : first + several] = counts @ values / n
    return means


def percentile_interval(means: NDArray) -> tuple[float, float]:
    """The bounds between which the share `CONFIDENCE` of these resampled means (resamples,) lies."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def paired(a: NDArray, b: NDArray) -> Paired:
    """Compare two methods on the same images, values (images,) each."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    difference = a - b
    low, high = bootstrap_mean(difference)
    wins = float(np.mean((a < b) + 0.5 * (a == b)))
    return Paired(len(a), float(difference.mean()), low, high, signed_rank(difference), wins)


def signed_rank(differences: NDArray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test (Biometrics Bulletin 1, 80, 1945); differences of zero are left out.

    It asks whether the differences (images,) lie around zero, whatever their distribution. As `scipy.stats.wilcoxon`,
    which takes a second to import, it counts all assignments of signs for up to 50 images whose differences all have
    another size, and for up to 13 else; beyond, it is the normal approximation with the correction for ties.
    """
    differences = differences[differences != 0]
    n = len(differences)
    if n == 0:
        return 1.0
    if np.isnan(differences).any():
        return np.nan
    _, which, ties = np.unique(np.abs(differences), return_inverse=True, return_counts=True)
    twice = (2 * np.cumsum(ties) - ties + 1)[which]  # the rank of each, or the mean rank of those of the same size
    positive = int(twice[differences > 0].sum())
    if n <= (ALL_SIGNS if len(ties) == n else ALL_SIGNS_OF_TIES):
        return _exact_tail(twice, positive)
    away = abs(positive / 2 - n * (n + 1) / 4)
    spread = math.sqrt((n * (n + 1) * (2 * n + 1) - float(np.sum(ties.astype(float) ** 3 - ties)) / 2) / 24)
    return math.erfc(away / spread / math.sqrt(2))


def _exact_tail(values: NDArray, total: int) -> float:
    """Twice the chance that a sum of these whole numbers, each of them taken or left out, lies as far out as this."""
    counts = np.zeros(int(values.sum()) + 1)
    counts[0] = 1
    for value in values:  # below 2^53 all of this is exact
        counts[value:] += counts[: len(counts) - value].copy()
    return min(1.0, 2 * float(min(counts[: total + 1].sum(), counts[total:].sum()) / counts.sum()))


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p (Scand. J. Stat. 6, 65, 1979): reject where it is below α, and the chance of any false
    rejection among all tests is below α, however they depend on each other.
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def student_mean(values: NDArray, *, confidence: float) -> tuple[float, float]:
    """Student's interval of a mean over images, for values (images,); infinite for a single one.

    At levels near 1 it keeps its promise where the percentile bootstrap does not: among few images, of which most
    differ by nothing, all resamples soon agree on a sign that was chance.
    """
    from scipy.special import stdtrit

    values = np.asarray(values, dtype=np.float64)
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return -np.inf, np.inf
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(values.std(ddof=1)) / np.sqrt(n)
    return mean - half, mean + half


def success_interval(shares: NDArray) -> tuple[float, float]:
    """Wilson's interval of a mean share, for shares (images,) in [0, 1] of an image's seeds that succeeded.

    n images that differ less than if each had failed or succeeded with all its seeds stand for more than n: for n/φ,
    with the design effect φ = s²/(p(1 − p)), the variance of the shares over that of zeros and ones (Kish, Survey
    Sampling, 1965). Few images tell little of φ, and z² are added for which it is 1, as many as Wilson's interval adds
    itself. With one seed φ is 1, and so it is where all images failed or all succeeded: the interval is then Wilson's
    of n images. Unlike a bootstrap it never shrinks to a point, and rows that only repeat each other change nothing.
    """
    shares = np.asarray(shares, dtype=np.float64)
    n, p = len(shares), float(shares.mean())
    design = float(shares.var()) / (p * (1 - p)) if 0 < p < 1 else 1.0
    effective = n * (n + _Z2) / (n * design + _Z2)
    return wilson(p * effective, effective)


def wilson(successes: float, n: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion (J. Am. Stat. Assoc. 22, 209, 1927)."""
    z2 = _Z2
    centre = (successes + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * (successes * (n - successes) / n + z2 / 4)) / (n + z2)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
