"""Generalized proximal smoothing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from solvers.backend import Array
from solvers.iterative.block import Block
from solvers.iterative.solver import IterativeSolver
from solvers.iterative.state import State


class GeneralizedProximalSmoothing(IterativeSolver):
    """z⁺ = prox_T(z − t F y),   y⁺ = G ∗ (I − P_S)(y + s F⁻¹(2 z⁺ − z)),   prox_T(z) = (t P_T z + σ z) / (t + σ).

    z is the transform of the image, and y, an image, the multiplier of the object constraints. P_T gives z the measured
    magnitudes, and prox_T does that a part of the way: the measurement is noisy. I − P_S is the proximal map of the
    conjugate of the constraints. G smooths it: its transform is exp(−s |k|² / 2α²), with a width α that falls in equal
    stages from two grids to two grids over their number. The image is P_S F⁻¹ z.

    Source: Pham, Yin, Rana, Osher and Miao, Opt. Express 27, 2792 (2019), GPS-R; the stages are those of Rodriguez et
    al., J. Appl. Cryst. 46, 312 (2013). Here a stage begins where the one before has ended, not with its best iterate.
    """

    name = "gps"
    summary = "generalized proximal smoothing: relaxed magnitudes, and a smoothed multiplier for the object constraints"

    sigma: float = Field(0.1, ge=0, le=1000, description="relaxation σ of the magnitudes")
    t: float = Field(1.0, gt=0, le=10, description="step t of the image")
    s: float = Field(0.9, gt=0, le=10, description="step s of the multiplier")
    stages: int = Field(10, ge=1, le=1000, description="widths of the smoothing; a second start goes on with the last")

    def begin(self, guess: Array, block: Block) -> State:
        age = block.backend.asarray(np.zeros(guess.shape[0], dtype=np.int64))
        return block.transform(guess), block.backend.xp.zeros_like(guess), age

    def advance(self, state: State, block: Block, count: int) -> State:
        z, y, age = state
        ages = block.backend.to_numpy(age)
        stage, smoothing = None, None
        for i in range(count):
            now = self._stage(ages + i)
            if stage is None or (now != stage).any():
                stage, smoothing = now, self._smoothing(now, block)
            z, y = self.step(z, y, smoothing, block)
        return z, y, age + count

    def step(self, z: Array, y: Array, smoothing: Array, block: Block) -> tuple[Array, Array]:
        """One iteration of z (B, m1, k) and y (B, m1, m2), with the transform of G (B, m1, k)."""
        moved = z - self.t * block.transform(y)
        following = (self.t * block.project_spectrum(moved) + self.sigma * moved) / (self.t + self.sigma)
        y = y + self.s * block.inverse(2 * following - z)
        y = y - block.project_object(y)
        return following, block.inverse(smoothing * block.transform(y))

    def estimate(self, state: State, block: Block) -> Array:
        return block.project_object(block.inverse(state[0]))

    def transforms(self, state: State, iterations: NDArray[np.int64]) -> NDArray[np.int64]:
        return 4 * iterations + 2 * -(-iterations // self.look_every)

    def _stage(self, age: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(age * self.stages // self.iterations, self.stages - 1)

    def _smoothing(self, stage: NDArray[np.int64], block: Block) -> Array:
        """The transform of G (B, m1, k) for images in these stages."""
        m1, m2 = block.grid
        width = 2 * max(m1, m2) * (1 - stage / self.stages) / math.sqrt(self.s)
        k1, k2 = m1 * np.fft.fftfreq(m1), m2 * (np.fft.rfftfreq(m2) if block.real else np.fft.fftfreq(m2))
        squared = k1[:, None] ** 2 + k2**2
        return block.backend.asarray(np.exp(-squared / (2 * width[:, None, None] ** 2)))
