"""Decoupled annealing posterior sampling: a diffusion sampler that may move far between two noise levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from datasets import Measurement
from solvers.backend import Backend
from solvers.base import Streams
from solvers.iterative.block import Block
from solvers.prior.pnp import PlugAndPlay, schedule

if TYPE_CHECKING:
    from torch import Tensor

STEP = 0.5  # of Langevin, over the smallest variance in the posterior: stable below 2


class DecoupledAnnealing(PlugAndPlay):
    """For noise levels σ₁ > σ₂ > …, with x₁ = x + σ₁ ε from a start x:

        x̂ = x_i at the end of  dx/dσ = (x − D(x; σ)) / σ  from σ_i to 0, by Euler's method
        x₀ ← x₀ − η [(x₀ − x̂) / σ_i² + (x₀ − P_M x₀) / v] + √(2η) ε,   from x₀ = x̂, many times
        x_{i+1} = x₀ + σ_{i+1} ε

    D is the denoiser of `pnp`, v the variance of the noise in a pixel of P_M x₀ (or the square of the lowest level, if
    that is more), ε white and normal. The second line is Langevin's dynamics in the posterior
    N(x₀; x̂, σ_i²) · exp(−‖|F x₀| − √Y‖² / 2v m₁m₂), whose gradient P_M gives. The image is D(x₀; σ) at the last level,
    with its negative pixels zero.

    Source: Zhang, Chu, Berner, Meng, Anandkumar and Song, "Improving diffusion inverse problem solving with decoupled
    noise annealing" (CVPR 2025), Algorithm 1 with σ_i for the r_i of its eq. 7. It begins with noise alone there. This
    denoiser knows no levels at which that is all there is, so that it begins from a start, as `pnp` does.
    """

    name: ClassVar[str] = "daps"
    summary: ClassVar[str] = "decoupled annealing posterior sampling, with the denoiser of pnp"
    network_of: ClassVar[str] = PlugAndPlay.name

    @property
    def draws(self) -> bool:  # type: ignore[override]
        return True

    steps: int = Field(50, ge=1, le=10_000, description="noise levels of the annealing")
    ode: int = Field(3, ge=1, le=1000, description="steps of the differential equation at each level")
    langevin: int = Field(10, ge=1, le=10_000, description="steps of Langevin's dynamics at each level")

    def _projections(self) -> int:
        return self.steps * self.langevin

    def _annealed(
        self, images: NDArray, measurement: Measurement, rng: Streams
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        from solvers.prior.denoiser import SIGMAS

        backend, block, x, unit, variance = self._begun(images, measurement)
        levels, _ = schedule(variance, self.steps, self.first, self.last)
        noise = _Noise(measurement, rng, backend)
        box = measurement.object_shape
        spread = backend.asarray(np.maximum(variance, SIGMAS[0] ** 2).astype(np.float32))[:, None, None]
        x = x * unit
        for sigma in backend.asarray(levels):
            level = sigma[:, None, None]
            centre = self._flow(x + level * noise.in_box(block), sigma, box)
            x = self._sample(centre, level**2, spread, unit, block, noise)
        z = block.project_object(self._denoise(x, sigma, box)) / unit
        return backend.to_numpy(z), backend.to_numpy(block.residual(z)).astype(np.float64)

    def _flow(self, x: Tensor, sigma: Tensor, box: tuple[int, int]) -> Tensor:
        """x̂: the image at the end of the way that leads through a noisy one (B, m1, m2)."""
        for left in range(self.ode, 0, -1):  # noise that falls by the same amount in every step, to nothing
            now = sigma * (left / self.ode)
            x = x + (self._denoise(x, now, box) - x) / left
        return x

    def _sample(
        self, centre: Tensor, prior: Tensor, spread: Tensor, unit: Tensor, block: Block, noise: _Noise
    ) -> Tensor:
        """x₀, of the posterior around x̂ (B, m1, m2), with variances (B, 1, 1) of the prior and of the measurement."""
        step = STEP / (1 / prior + 1 / spread)
        x = centre
        for _ in range(self.langevin):
            measured = block.project_magnitude(x / unit) * unit
            gradient = (x - centre) / prior + (x - measured) / spread
            x = (x - step * gradient) * block.support + (2 * step).sqrt() * noise.in_box(block)
        return x


class _Noise:
    """White noise in the box of each image, from a stream of its own."""

    def __init__(self, measurement: Measurement, rng: Streams, backend: Backend) -> None:
        self._shape, self._backend = measurement.object_shape, backend
        # The first child may have disturbed the image that this begins with (`composed/mean.py`).
        self._streams = [rng.generator(int(index)).spawn(2)[1] for index in measurement.indices]

    def in_box(self, block: Block) -> Tensor:
        """(B, m1, m2), zero outside of the supports."""
        import torch

        drawn = np.stack([stream.standard_normal(self._shape, dtype=np.float32) for stream in self._streams])
        noise = torch.zeros(block.support.shape, device=self._backend.device)
        noise[:, : self._shape[0], : self._shape[1]] = self._backend.asarray(drawn)
        return noise * block.support
