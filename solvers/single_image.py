"""For methods that make one image of one measurement, without a loop that others could do for them."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets import Measurement
from datasets.blocks import map_blocks
from solvers.base import Information, Reconstruction, Solver, Status, Streams
from solvers.iterative.units import in_units, normalised
from solvers.residual import magnitude_residual


class SingleImageSolver(Solver):
    """A method that is called for one image at a time, on NumPy arrays in float64.

    What is left out are measurements that no image can have. The unit of the intensities is free: they are scaled to
    objects ‖X‖² in [1, 4), and the images are scaled back.
    """

    @abstractmethod
    def reconstruct(
        self, intensities: NDArray[np.float64], object_shape: tuple[int, int], rng: np.random.Generator
    ) -> ArrayLike:
        """The image of one measurement.

        Several threads call this at a time: what it changes must be its own.

        Args:
            intensities: (m1, m2), zero frequency at [0, 0]; NaN where nothing was measured.
            object_shape: (n1, n2), outside of which the object is zero.
            rng: random numbers of this image, the same in every run with the same seed.

        Returns:
            Real or complex, of any size up to (m1, m2), with its first pixel at [0, 0]; the rest is zero. An image
            that is not finite has diverged.
        """

    def information(self) -> Information:
        """The box, which every method is given. Override this where it uses more of what is known, or less."""
        return Information(support="box")

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        """Reconstruct every image by itself. Fourier transforms are not counted: nobody sees them."""
        chosen = np.flatnonzero(measurement.valid())
        unit, scaled = normalised(measurement[chosen])

        def one(block: slice) -> NDArray:
            i = block.start
            image = self.reconstruct(
                scaled.intensities[i].copy(), scaled.object_shape, rng.generator(scaled.indices[i])
            )
            return _on_grid(image, measurement.grid)

        found = map_blocks(one, len(chosen), 1, self.backend.threads)
        images = np.zeros((len(measurement), *measurement.grid), dtype=np.result_type(np.float64, *found))
        residual = np.full(len(measurement), np.nan)
        status = [Status.INVALID] * len(measurement)
        if found:
            images[chosen], right = in_units(np.stack(found).astype(images.dtype), unit)
            residual[chosen[right]] = magnitude_residual(
                np.stack(found)[right], scaled.intensities[right], real=measurement.real
            )
            for i, held in zip(chosen, right, strict=True):
                status[i] = Status.STOPPED if held else Status.DIVERGED
        once = measurement.valid().astype(np.int64)
        return Reconstruction(images, residual, once, once, np.zeros_like(once), status)


def _on_grid(image: ArrayLike, grid: tuple[int, int]) -> NDArray:
    """(m1, m2) an image in a corner of the grid."""
    array = np.asarray(image)
    if array.ndim != 2 or array.dtype.kind not in "biufc" or any(n > m for n, m in zip(array.shape, grid, strict=True)):
        raise ValueError(
            f"reconstruct() returned {array.dtype} of shape {array.shape}: an image of numbers up to {grid} is expected"
        )
    return np.pad(array, [(0, m - n) for n, m in zip(array.shape, grid, strict=True)])
