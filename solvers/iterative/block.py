"""A block of images under reconstruction: their data, and the two projections all iterative solvers are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from datasets.forward import friedel_mean, half_plane
from solvers import compiled, cuda
from solvers.backend import Array, Backend
from solvers.compiled import UNMEASURED
from solvers.iterative.largest import largest
from solvers.iterative.phases import in_phase, nearest_phase


@dataclass(frozen=True)
class Block:
    """The constraints on B images, on one device. B changes as images finish and others take their place.

    Attributes:
        backend: where the arrays live.
        magnitude: real (B, m1, k), √Y on the half plane k = m2 // 2 + 1 for real images, else on all k = m2 columns.
            UNMEASURED, which is negative, for a coefficient that was not measured: it may have any magnitude.
        support: bool (B, m1, m2), True where an image may differ from zero.
        real: the images are real-valued, and the transforms are those of real arrays.
        nonnegative: the images are nonnegative.
        box: (n1, n2) where every support is the box [0, n1) × [0, n2); None where they were estimated or given.
        frame: (n1, n2) of a box [0, n1) × [0, n2) that no support reaches out of; None where none is known.
        pixels: at most so many pixels of the support differ from zero; None where all of them may.
        phases: (first, last) angle that the pixels of complex images may have; None where they may have any.
        weight: real (B, m1, k), how far P_M takes a magnitude towards the measured one; None for all the way.
        smoothed: real (B, m1, k), as `magnitude`, of smoothed intensities; None but for maps that use them.
    """

    backend: Backend
    magnitude: Array
    support: Array
    real: bool
    nonnegative: bool
    box: tuple[int, int] | None = None
    frame: tuple[int, int] | None = None
    pixels: int | None = None
    phases: tuple[float, float] | None = None
    weight: Array | None = None
    smoothed: Array | None = None

    @cached_property
    def constraints(self) -> compiled.Constraints | None:
        """This block for the compiled kernels; None where they do not take it."""
        backend = (self.backend.name, self.backend.device, self.backend.precision)
        if backend != ("torch", "cpu", "float32") or not compiled.supports(self.grid):
            return None
        if self.phases or self.weight is not None:
            return None
        magnitude = self.backend.to_numpy(self.magnitude)
        support = self.box or self.backend.to_numpy(self.support)
        return compiled.Constraints(
            magnitude, self.grid, support, real=self.real, nonnegative=self.nonnegative, pixels=self.pixels
        )

    @property
    def on_gpu(self) -> bool:
        """Whether the CUDA kernels may take this block."""
        if self.weight is not None:
            return False
        known = {"pixels": self.pixels is not None, "phases": self.phases is not None}
        return cuda.serves(self.backend) and cuda.takes(**known)

    @cached_property
    def masked(self) -> bool:
        """Whether some coefficients were not measured."""
        return bool(self.backend.xp.any(self.magnitude < 0))

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

        A coefficient that was not measured stays as it is. Where Fx = 0 every phase is equally near; the projection
        then takes the magnitude zero. With weights w the magnitude becomes w √Y + (1 − w) |Fx|.
        """
        return self.inverse(self.project_spectrum(self.transform(x)))

    def project_spectrum(self, z: Array) -> Array:
        """The same in Fourier space, for z = F x and F P_M x (B, m1, k)."""
        xp = self.backend.xp
        tiny = float(np.finfo(self.backend.precision).tiny) ** 0.5  # so small that no magnitude / tiny overflows
        factor = self.magnitude / xp.clip(xp.abs(z), tiny, None)
        if self.masked:
            factor = xp.where(self.magnitude < 0, xp.ones_like(factor), factor)
        if self.weight is not None:
            factor = 1 + self.weight * (factor - 1)
        return z * factor

    def project_object(self, x: Array) -> Array:
        """P_S x, the nearest images that satisfy the object constraints.

        They are zero outside the support and, where known, have so many pixels at most, none negative, and phases in
        a range.
        """
        xp = self.backend.xp
        if self.phases:
            x = nearest_phase(xp, x, *self.phases)
        x = xp.where(self.inside(x), x, xp.zeros_like(x))
        return xp.clip(x, 0, None) if self.nonnegative else x

    def inside(self, x: Array) -> Array:
        """bool (B, m1, m2): the pixels of x that P_S does not set to zero for where they are."""
        if self.pixels is None:
            return self.support
        return largest(self.backend.xp, x, self.support, self.pixels, nonnegative=self.nonnegative)

    def satisfied(self, x: Array) -> Array:
        """bool (B, m1, m2): the pixels of x at which it satisfies the object constraints."""
        if self.phases:
            nearest = nearest_phase(self.backend.xp, x, *self.phases)
            return self.inside(nearest) & in_phase(self.backend.xp, x, *self.phases)
        inside = self.inside(x)
        return inside & (x >= 0) if self.nonnegative else inside

    def residual(self, x: Array) -> Array:
        """(B,) magnitude residual ‖|Fx| − √Y‖ / ‖√Y‖ over what was measured of the whole Fourier plane."""
        if self.constraints is not None:
            return self.backend.asarray(compiled.residual(self.backend.to_numpy(x), self.constraints))
        xp, weights = self.backend.xp, self._plane_weights()
        if self.masked:
            weights = xp.where(self.magnitude < 0, xp.zeros_like(self.magnitude), weights)
        misfit = xp.sum(weights * (xp.abs(self.transform(x)) - self.magnitude) ** 2, axis=(1, 2))
        return xp.sqrt(misfit / xp.sum(weights * self.magnitude**2, axis=(1, 2)))

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
            self,
            magnitude=xp.take(self.magnitude, rows, axis=0),
            support=xp.take(self.support, rows, axis=0),
            weight=None if self.weight is None else xp.take(self.weight, rows, axis=0),
            smoothed=None if self.smoothed is None else xp.take(self.smoothed, rows, axis=0),
        )

    def join(self, other: Block) -> Block:
        """This block followed by another one."""
        xp = self.backend.xp
        return replace(
            self,
            magnitude=xp.concat([self.magnitude, other.magnitude]),
            support=xp.concat([self.support, other.support]),
            weight=None if self.weight is None else xp.concat([self.weight, other.weight]),
            smoothed=None if self.smoothed is None else xp.concat([self.smoothed, other.smoothed]),
        )


def box_block(
    measurement: Measurement,
    backend: Backend,
    *,
    real: bool,
    nonnegative: bool,
    mask: NDArray[np.bool_] | None = None,
) -> Block:
    """The constraints of a measurement with its own support: what is given, or the box [0, n1) × [0, n2).

    Args:
        mask: bool (B, m1, m2), True where the intensities were measured; those elsewhere are not looked at.
    """
    m1, m2 = measurement.grid
    n1, n2 = measurement.object_shape
    support = np.zeros((len(measurement), m1, m2), dtype=bool)
    support[:, :n1, :n2] = True if measurement.support is None else measurement.support
    magnitude = magnitudes(measurement.intensities, mask, real)
    box = (n1, n2) if measurement.support is None else None
    arrays = backend.asarray(magnitude), backend.asarray(support)
    return Block(backend, *arrays, real, nonnegative, box, frame=(n1, n2))


def magnitudes(y: NDArray[np.float64], mask: NDArray[np.bool_] | None, real: bool) -> NDArray[np.float64]:
    """√Y (B, m1, k) of intensities (B, m1, m2) as a block holds them.

    A real image's intensities are centrosymmetric, a noisy measurement's are not: the mean of Y[k] and Y[−k] uses
    both, where both were measured.
    """
    if mask is None:
        return np.sqrt(half_plane(y) if real else y)
    seen = np.where(mask, y, np.nan)
    if real:
        seen = friedel_mean(seen)[:, :, : y.shape[2] // 2 + 1]
    return np.where(np.isnan(seen), UNMEASURED, np.sqrt(seen))
