"""Whether reconstructions of one pattern agree: all that can be asked of them where nobody knows the object.

The one with the smallest residual is the reference. The others are brought onto it by shift, conjugate flip and phase,
and agree with it if little of their energy differs then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.composed.registration import register

AGREES = 0.1  # largest error of a reconstruction that agrees with the best one, relative to its energy


def agreement(images: NDArray, residual: NDArray[np.float64]) -> float:
    """The share of the others that agree with the best of these reconstructions; NaN where there is no other one.

    Args:
        images: (S, m1, m2) on the grid of the pattern, on which they may be shifted around the borders.
        residual: (S,); NaN for one that diverged, which agrees with nothing.
    """
    if len(images) < 2:
        return np.nan
    return max(len(agreeing(images, residual)) - 1, 0) / (len(images) - 1)


def agreeing(images: NDArray, residual: NDArray[np.float64]) -> NDArray:
    """(A, m1, m2) the best of these reconstructions, and those that agree with it, brought onto it.

    Args:
        images, residual: as for `agreement`; of none that is finite, A is 0.
    """
    usable = np.isfinite(residual) & np.isfinite(images).all(axis=(1, 2))
    if not usable.any():
        return images[:0]
    best = int(np.where(usable, residual, np.inf).argmin())
    registered = [register(images[best], images[i]) for i in np.flatnonzero(usable) if i != best]
    return np.stack([images[best], *(one.image for one in registered if one.error <= AGREES)])
