"""The phase-retrieval transfer function: how far phases at a frequency are the same in all starts.

PRTF(k) = |mean over the starts of F x| / √Y. Where every start finds the measured magnitudes with the same phases it is
1, and it falls where they differ. Source: Chapman et al., J. Opt. Soc. Am. A 23, 1179 (2006). Over a ring,
coefficients are weighted by their intensities: the ratio says nothing where no light was measured.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

THRESHOLD = math.exp(-1)  # at which the resolution is read
FEWEST = 8  # starts for that: N random phases have a mean of about 1 / √N, which must lie below the threshold


def rings(grid: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The ring (m1, m2) of every frequency, and the frequency of each ring in cycles per pixel.

    Rings are as wide as the coarser step of the grid, and end where the corners of the plane begin.
    """
    k1, k2 = (np.fft.fftfreq(m) for m in grid)
    step = 1 / min(grid)
    ring = np.rint(np.hypot(k1[:, None], k2[None, :]) / step).astype(np.int64)
    count = min(grid) // 2 + 1
    return np.where(ring < count, ring, -1), np.arange(count, dtype=np.float64) * step


def by_ring(values: NDArray, ring: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(count,) sums of values (m1, m2) over each ring; those that are NaN, and the corners, are left out."""
    there = (ring >= 0) & ~np.isnan(values)
    return np.bincount(ring[there], weights=values[there], minlength=count).astype(np.float64)


def transfer(images: NDArray, intensities: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The frequency of each ring in cycles per pixel, and the PRTF there; NaN where no light was measured.

    Args:
        images: (S, m1, m2) starts that are registered to each other.
        intensities: (m1, m2), zero frequency at [0, 0], NaN where nothing was measured.
    """
    ring, frequency = rings((intensities.shape[0], intensities.shape[1]))
    together = by_ring(np.abs(scipy.fft.fft2(images.mean(axis=0))) * np.sqrt(intensities), ring, len(frequency))
    measured = by_ring(intensities, ring, len(frequency))
    with np.errstate(invalid="ignore", divide="ignore"):
        return frequency, np.where(measured > 0, together / measured, np.nan)


def half_period(frequency: NDArray[np.float64], prtf: NDArray[np.float64]) -> float:
    """The resolution in pixels: half a period of the frequency at which the PRTF first falls below 1/e.

    That frequency is interpolated between two rings. Where it never falls, half a period of the last ring.
    """
    known = ~np.isnan(prtf) & (frequency > 0)
    f, p = frequency[known], prtf[known]
    if not len(f):
        return math.nan
    below = np.flatnonzero(p < THRESHOLD)
    if not len(below):
        return float(1 / (2 * f[-1]))
    i = int(below[0])
    if i == 0:
        return float(1 / (2 * f[0]))
    share = (p[i - 1] - THRESHOLD) / (p[i - 1] - p[i])
    return float(1 / (2 * (f[i - 1] + share * (f[i] - f[i - 1]))))
