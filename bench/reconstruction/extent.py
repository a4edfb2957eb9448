"""How large the object is, from the autocorrelation: the inverse transform of the intensities."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

# Thresholds, as parts of the largest value. The upper one is that of Marchesini et al., Phys. Rev. B 68, 140101 (2003),
# for the first support; where there is little noise, it would cut off the faint ends of an object.
LOWEST, HIGHEST = 0.005, 0.04
ABOVE_NOISE = 3  # times what there is in the corners, which the autocorrelation of a small object does not reach
MARGIN = 1.2  # rows and columns for one that was found, since the ends of an autocorrelation are faint


def autocorrelation(intensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """|F⁻¹Y| (m1, m2) with no shift at [0, 0]; what was not measured counts as zero."""
    return np.abs(scipy.fft.ifft2(np.nan_to_num(intensities)))


def estimated_shape(intensities: NDArray[np.float64]) -> tuple[int, int]:
    """Rows and columns of a box that holds the object.

    The autocorrelation of n rows has 2n − 1. What of it is above a threshold and connected with its middle is taken
    for it. The box is never larger than half of the grid, and never smaller than two rows and columns.
    """
    values = autocorrelation(intensities)
    middle = tuple(m // 2 for m in values.shape)
    shifted = scipy.fft.fftshift(values)
    level = shifted > np.clip(ABOVE_NOISE * _noise(shifted), LOWEST * values.max(), HIGHEST * values.max())
    parts, _ = scipy.ndimage.label(level, structure=np.ones((3, 3)))
    ours = parts == parts[middle]
    found = []
    for axis, m in enumerate(values.shape):
        taken = np.flatnonzero(ours.any(axis=1 - axis))
        reach = int(max(abs(taken - middle[axis])))  # n − 1
        found.append(min(max(int(np.ceil(MARGIN * (reach + 1))), 2), m // 2))
    return found[0], found[1]


def _noise(shifted: NDArray[np.float64]) -> float:
    """What nearly all values in the corners are below, an eighth of each side."""
    rows, columns = (np.r_[: -(-m // 8), m - m // 8 : m] for m in shifted.shape)
    return float(np.quantile(shifted[np.ix_(rows, columns)], 0.99))
