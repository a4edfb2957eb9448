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
    support = np.fft.fftshift(_box(measurement))
    found = [
        cdi(
            np.fft.fftshift(np.sqrt(intensities)),
            support,
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


def shrink_wrap(
    measurement: Measurement, iterations: int, *, beta: float, sigma: float, threshold: float, every: int
) -> NDArray:
    """One complex image (m1, m2) by RAAR in complex64 from a random start, with a support that follows it."""
    found = cdi(
        np.fft.fftshift(np.sqrt(measurement.intensities[0])),
        np.fft.fftshift(_box(measurement)),
        schedule=[("raar", iterations, beta)],
        shrinkwrap={"every": every, "threshold": threshold, "sigma": sigma, "sigma_min": sigma},
        precision="single",
        seed=0,
        check_every=iterations + 1,
        tol=0.0,
    )
    return np.fft.ifftshift(found.object)


def _box(measurement: Measurement) -> NDArray:
    n1, n2 = measurement.object_shape
    support = np.zeros(measurement.grid, dtype=bool)
    support[:n1, :n2] = True
    return support
