"""The mean of the best starts of an image, each brought onto the best one by shift, conjugate flip and phase.

Under noise every start ends in a minimum of its own: they share the object, and differ in the noise that they fit, so
that their mean is nearer to the truth than any of them. Source: Shapiro et al., PNAS 102, 15343 (2005); Chapman et al.,
J. Opt. Soc. Am. A 23, 1179 (2006).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from datasets.blocks import map_blocks
from datasets.scaling import times_two_to_the
from solvers.backend import Backend
from solvers.base import Reconstruction, Status
from solvers.composed.registration import register
from solvers.iterative.block import box_block
from solvers.iterative.units import normalised

WORST = (
    1.03  # times the smallest residual of an image: a start beyond that is in another basin; tuned on training images
)


class Leaders:
    """The starts of each image with the smallest residuals, up to so many of them, the best one first."""

    def __init__(self, images: int, count: int) -> None:
        self._count = count
        self._of: list[list[tuple[float, NDArray]]] = [[] for _ in range(images)]

    def add(self, rows: NDArray[np.int64], found: Reconstruction) -> None:
        """One more start of these images. One that has diverged leads nothing; of equal ones the earlier does."""
        for row, residual, image in zip(rows.tolist(), found.residual.tolist(), found.images, strict=True):
            if np.isfinite(residual):
                self._of[row] = sorted([*self._of[row], (residual, image)], key=lambda one: one[0])[: self._count]

    def near(self, row: int) -> list[NDArray]:
        """Those of an image whose residual is near the smallest."""
        leaders = self._of[row]
        return [image for residual, image in leaders if residual <= WORST * leaders[0][0]]


def averaged(found: Reconstruction, leaders: Leaders, measurement: Measurement, threads: int = 1) -> Reconstruction:
    """With the mean of its leaders for every image that no start has solved, and the residual of that mean."""
    images, residual, transforms = found.images.copy(), found.residual.copy(), found.transforms.copy()
    open_ones = np.flatnonzero([status == Status.STOPPED for status in found.status])

    def average(block: slice) -> None:
        for row in open_ones[block].tolist():
            near = leaders.near(row)
            if len(near) > 1:
                first, *others = near
                images[row] = np.mean([first, *(register(first, image).image for image in others)], axis=0)
                residual[row] = _residual(images[row], measurement[row : row + 1])
                transforms[row] += 5 * len(others) + 1  # of both, the correlations of both orientations, and back

    map_blocks(average, len(open_ones), 1, threads)
    return replace(found, images=images, residual=residual, transforms=transforms)


def _residual(image: NDArray, measurement: Measurement) -> float:
    """The magnitude residual of one image, as iterations measure it."""
    unit, part = normalised(measurement)
    mask = None if part.whole().all() else part.measured
    real = part.real and not np.iscomplexobj(image)
    block = box_block(part, Backend("numpy", precision="float64"), real=real, nonnegative=False, mask=mask)
    scaled = times_two_to_the(image[None].astype(np.result_type(image, np.float64)), -unit)
    return float(block.residual(scaled)[0])
