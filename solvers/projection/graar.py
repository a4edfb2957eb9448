"""RAAR with smoothed intensities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from pydantic import Field

from datasets import Measurement
from solvers.backend import Array
from solvers.iterative.block import Block, magnitudes
from solvers.iterative.state import State
from solvers.projection.base import ProjectionSolver


class SmoothedReflections(ProjectionSolver):
    """x ← β/2 (R_S R_M + I) x + (1 − β) P̃_M x, where P̃_M projects on the magnitudes of smoothed intensities.

    Those are the measured intensities under a Gaussian of σ pixels, of which what was not measured is no part:
    Ỹ = (G ∗ mY) / (G ∗ m) with m = 1 where Y was measured, else 0.

    Source: Lee et al., Phys. Rev. Research 3, 043066 (2021), where it is called gRAAR, with σ = 1.5; and the authors'
    program, which smooths in the relaxation term, as here, and not in the reflection.
    """

    name = "graar"
    summary = "relaxed averaged alternating reflections, relaxed to smoothed intensities"

    beta: float = Field(0.95, gt=0, le=1, description="relaxation β")
    sigma: float = Field(1.5, gt=0, le=100, description="σ of the Gaussian in pixels of the pattern")

    def constrain(self, block: Block, measurement: Measurement) -> Block:
        measured = measurement.measured
        mask = None if measured.all() else measured
        soft = magnitudes(smoothed(measurement.intensities, measured, self.sigma), mask, block.real)
        return replace(super().constrain(block, measurement), smoothed=block.backend.asarray(soft))

    def step(self, x: Array, block: Block) -> Array:
        p = block.project_magnitude(x)
        soft = replace(block, magnitude=block.smoothed).project_magnitude(x)
        return self.beta * (block.project_object(2 * p - x) + x - p) + (1 - self.beta) * soft

    def transforms(self, state: State, iterations: NDArray[np.int64]) -> NDArray[np.int64]:
        return super().transforms(state, iterations) + 2 * iterations  # for the second projection


def smoothed(intensities: NDArray[np.float64], measured: NDArray[np.bool_], sigma: float) -> NDArray[np.float64]:
    """Intensities (B, m1, m2), periodic, under a Gaussian; as they are where they were not measured."""
    _, m1, m2 = intensities.shape
    k1, k2 = scipy.fft.fftfreq(m1)[:, None], scipy.fft.rfftfreq(m2)
    kernel = np.exp(-2 * (np.pi * sigma) ** 2 * (k1**2 + k2**2))

    def blurred(plane: NDArray) -> NDArray:
        return scipy.fft.irfft2(scipy.fft.rfft2(plane) * kernel, s=(m1, m2))

    mean = blurred(np.where(measured, intensities, 0)) / np.clip(blurred(measured.astype(np.float64)), 1e-12, None)
    return np.where(measured, np.clip(mean, 0, None), intensities)
