"""What is computed of an image besides its error: columns of the rows, and of summary.csv as means over images.

A measure is a function of reconstructions and truth. It is NaN where there is no reconstruction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.score.metrics import Registration


@dataclass(frozen=True)
class Scored:
    """Reconstructions (B, m1, m2), the truth (B, n1, n2), and where in each of them it was found."""

    truth: NDArray
    images: NDArray
    match: Registration


def pixel_mse(of: Scored) -> NDArray[np.float64]:
    """(B,) the error per pixel of the frame, in squared units of the truth."""
    energy = np.sum(np.abs(of.truth.astype(np.result_type(of.truth.dtype, np.float64))) ** 2, axis=(1, 2))
    return of.match.mse * energy / of.truth[0].size


MEASURES: dict[str, Callable[[Scored], NDArray[np.float64]]] = {measure.__name__: measure for measure in (pixel_mse,)}
