"""solvephase, the fastest phase retrieval on PyPI next to this one, called as its users would."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from solvephase import cdi

from datasets import Measurement


def solve(measurement: Measurement, iterations: int, beta: float, starts: int = 1) -> NDArray:
    """Images (B, m1, m2) by RRR in float32 with support and positivity, without looking at the error on the way.

    solvephase has its zero frequency and its object in the middle. Its FFTs use one thread where the variable
    AOCORE_FFT_WORKERS says so.
    """
    n1, n2 = measurement.object_shape
    support = np.zeros(measurement.grid, dtype=bool)
    support[:n1, :n2] = True
    found = [
        cdi(
            np.fft.fftshift(np.sqrt(intensities)),
            np.fft.fftshift(support),
            schedule=[("rrr", iterations, beta)],
            starts=starts,
            constraint="positive",
            precision="single",
            seed=int(index),
            check_every=iterations + 1,
            tol=0.0,
        ).object
        for index, intensities in zip(measurement.indices, measurement.intensities, strict=True)
    ]
    return np.fft.ifftshift(np.stack(found).real, axes=(1, 2))
