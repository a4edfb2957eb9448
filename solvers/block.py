"""A block of images under reconstruction: their data, and the two projections all iterative solvers are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from datasets import Measurement
from datasets.forward import half_plane
from solvers import compiled, cuda
from solvers.backend import Array, Backend


@dataclass(frozen=True)
class Block:
    """The constraints on B images, on one device. B changes as images finish and others take their place.

    Attributes:
        backend: where the arrays live.
        magnitude: real (B, m1, k), √Y on the half plane k = m2 // 2 + 1 for real images, else on all k = m2 columns.
        support: bool (B, m1, m2), True where an image may differ from zero.
        real: the images are real-valued, and the transforms are those of real arrays.
        nonnegative: the images are nonnegative.
        box: (n1, n2) where every support is the box [0, n1) × [0, n2); None once it was re-estimated.
    """

    backend: Backend
    magnitude: Array
    support: Array
    real: bool
    nonnegative: bool
    box: tuple[int, int] | None = None

    @property
    def compiled(self) -> bool:
        """Whether the compiled kernel may take this block."""
        backend = (self.backend.name, self.backend.device, self.backend.precision)
        return backend == ("torch", "cpu", "float32") and self.real and compiled.supports(self.grid)

    @property
    def on_gpu(self) -> bool:
        """Whether the CUDA kernels may take this block."""
        return self.real and self.box is not None and cuda.serves(self.backend)

    @property
    def grid(self) -> tuple[int, int]:
        return self.support.shape[1], self.support.shape[2]

    def transform(self, x: Array) -> Array:
        """F x for images (B, m1, m2): complex (B, m1, k)."""
        fft = self.backend.xp.fft
        return fft.rfftn(x, axes=(1, 2)) if self.real else fft.fftn(x, axes=(1, 2))

    def inverse(self, z: Array) -> Array:
        """F⁻¹ z, the images (B, m1, m2).

        MKL rounds a single image otherwise than one of several: it is transformed twice, side by side, so that its
        result does not depend on its neighbours.
        """
        xp, fft = self.backend.xp, self.backend.xp.fft
        if z.shape[0] == 1 and (self.backend.name, self.backend.device) == ("torch", "cpu"):
            return self.inverse(xp.concat([z, z]))[:1, :, :]
        return fft.irfftn(z, s=self.grid, axes=(1, 2)) if self.real else fft.ifftn(z, axes=(1, 2))

    def project_magnitude(self, x: Array) -> Array:
        """P_M x = F⁻¹(√Y ⊙ Fx / |Fx|), the nearest images with the measured Fourier magnitudes.

        Where Fx = 0 every phase is equally near; the projection then takes the magnitude zero.
        """
        xp = self.backend.xp
        z = self.transform(x)
        tiny = float(np.finfo(self.backend.precision).tiny) ** 0.5  # so small that no magnitude / tiny overflows
        return self.inverse(z * (self.magnitude / xp.clip(xp.abs(z), tiny, None)))

    def project_object(self, x: Array) -> Array:
        """P_S x, the nearest images that are zero outside the support and, where known, nonnegative."""
        xp = self.backend.xp
        x = xp.where(self.support, x, xp.zeros_like(x))
        return xp.clip(x, 0, None) if self.nonnegative else x

    def residual(self, x: Array) -> Array:
        """(B,) magnitude residual ‖|Fx| − √Y‖ / ‖√Y‖ over the whole Fourier plane."""
        if self.compiled:
            return self.backend.asarray(
                compiled.residual(self.backend.to_numpy(x), self.backend.to_numpy(self.magnitude))
            )
        xp = self.backend.xp
        misfit = xp.sum(self._plane_weights() * (xp.abs(self.transform(x)) - self.magnitude) ** 2, axis=(1, 2))
        return xp.sqrt(misfit / xp.sum(self._plane_weights() * self.magnitude**2, axis=(1, 2)))

    def _plane_weights(self) -> Array:
        """(k,) how often a column of the stored half plane stands in the whole plane."""
        xp, m2, k = self.backend.xp, self.grid[1], self.magnitude.shape[2]
        column = xp.arange(k, device=self.magnitude.device)
        once = (column == 0) | (2 * column == m2)
        ones = xp.ones(k, dtype=self.magnitude.dtype, device=self.magnitude.device)
        return xp.where(once, ones, 2 * ones) if self.real else ones

    def take(self, rows: Array) -> Block:
        """The block of the images with these positions."""
        xp = self.backend.xp
        return replace(
            self, magnitude=xp.take(self.magnitude, rows, axis=0), support=xp.take(self.support, rows, axis=0)
        )

    def join(self, other: Block) -> Block:
        """This block followed by another one."""
        xp = self.backend.xp
        return replace(
            self,
            magnitude=xp.concat([self.magnitude, other.magnitude]),
            support=xp.concat([self.support, other.support]),
        )


def box_block(measurement: Measurement, backend: Backend, *, real: bool, nonnegative: bool) -> Block:
    """The constraints of a measurement with its own support, the box [0, n1) × [0, n2).

    A real image's intensities are centrosymmetric, a noisy measurement's are not: the mean of Y[k] and Y[−k]
    uses both.
    """
    m1, m2 = measurement.grid
    n1, n2 = measurement.object_shape
    y = measurement.intensities
    if real:
        y = half_plane(y)
    support = np.zeros((len(y), m1, m2), dtype=bool)
    support[:, :n1, :n2] = True
    return Block(backend, backend.asarray(np.sqrt(y)), backend.asarray(support), real, nonnegative, (n1, n2))
