"""Photon counts of patterns: what the noise of a pattern says of its count, and counts on a half plane.

The intensities of a real object satisfy Y[−k] = Y[k] (Friedel's law), so that each of them is measured twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets.forward import opposite

_BLOCK = 64  # patterns looked at together


def estimate_photons(intensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Photons (B,) in each pattern (B, m1, m2) of a real object, judged by its noise; infinite without noise.

    They are those of what was measured: intensities that are NaN were not.
    """
    with np.errstate(divide="ignore"):
        return np.nansum(intensities, axis=(1, 2)) / one_photon(intensities)


def one_photon(intensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The intensity (B,) that one photon stands for in patterns (B, m1, m2) of real objects; zero without noise.

    In units in which a photon counts s, the two measurements of a pair have a sum N s and a difference D s. Given N > 0
    photons, D² has the expectation N whatever the intensity is: the mean of (D s)² / (N s) over all pairs with light
    is an estimate of s, which K pairs determine up to √(2 / K) of it. Pairs of which one was not measured (NaN) say
    nothing. A pattern that was made symmetric, or whose noise is not Poisson's, is judged wrongly.
    """
    one = np.empty(len(intensities))
    for start in range(0, len(intensities), _BLOCK):
        block = slice(start, start + _BLOCK)
        one[block] = _one_photon(intensities[block])
    return one


def _one_photon(y: NDArray[np.float64]) -> NDArray[np.float64]:
    other = opposite(y)
    both = y + other
    lit = (both > 0) & pairs(y.shape[1:])
    share = np.divide((y - other) ** 2, both, out=np.zeros_like(y), where=lit)
    return share.sum(axis=(1, 2)) / np.maximum(lit.sum(axis=(1, 2)), 1)


def pairs(grid: tuple[int, ...]) -> NDArray[np.bool_]:
    """(m1, m2) True at the frequencies k that are not their own opposite, −k."""
    rows, columns = (2 * np.arange(m) % m == 0 for m in grid)
    return ~np.logical_and.outer(rows, columns)


def count_half_plane(
    half: NDArray[np.floating], m2: int, photons: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """`half_plane` of a pattern with Poisson noise, drawn there: half as many numbers as in the whole plane.

    Args:
        half: (m1, m2 // 2 + 1) of a noiseless, symmetric pattern, in any unit. The result is in the same.
        m2: columns of the whole plane.
        photons: expected in all of the whole plane.
    """
    m1, columns = half.shape
    twice = pairs((m1, m2))[:, :columns]
    own = 2 * np.arange(columns) % m2 == 0  # the columns that hold both k and −k
    times = np.where(own, 1.0, 2.0)  # in the whole plane
    total = float((half * times).sum(dtype=np.float64))
    if not total > 0:
        return half.astype(np.float64)
    measured = np.where(twice, 2.0, 1.0)  # times that an intensity is measured
    counts = rng.poisson(half * measured * (photons / total)) / measured
    lower = np.arange(m1 // 2 + 1, m1)
    counts[lower[:, None], own] = counts[m1 - lower[:, None], own]
    return counts * (total / photons)
