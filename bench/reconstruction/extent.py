"""How large the object is, from the autocorrelation: the inverse transform of the intensities."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

THRESHOLD = 0.04  # of the largest value: Marchesini et al., Phys. Rev. B 68, 140101 (2003), for the first support
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
    level = scipy.fft.fftshift(values) > THRESHOLD * values.max()
    parts, _ = scipy.ndimage.label(level, structure=np.ones((3, 3)))
    ours = parts == parts[middle]
    found = []
    for axis, m in enumerate(values.shape):
        taken = np.flatnonzero(ours.any(axis=1 - axis))
        reach = int(max(abs(taken - middle[axis])))  # n − 1
        found.append(min(max(int(np.ceil(MARGIN * (reach + 1))), 2), m // 2))
    return found[0], found[1]
