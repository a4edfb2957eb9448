"""A batch for a method that computes so many images at a time, with one answer for all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from solvers.base import Reconstruction, Status
from solvers.iterative.units import in_units, normalised

# Of rows (B,) of the batch, their measurements in normalised units and the exponents (B,) of these: the images
# (B, m1, m2) and their residuals (B,), in these units.
Method = Callable[[NDArray[np.int64], Measurement, NDArray[np.int32]], tuple[NDArray[np.float32], NDArray[np.float64]]]


def in_chunks(
    method: Method,
    measurement: Measurement,
    *,
    valid: NDArray[np.bool_],
    there: NDArray[np.bool_],
    size: int,
    tolerance: float,
    iterations: int,
    transforms: int,
) -> Reconstruction:
    """What a method makes of a batch of n, in portable code.

    Args:
        method: always called with `size` rows: a chunk is filled up with images of its own, so that no image depends on
            how many there are beside it.
        valid: (n,) of which there can be an image; of the others the status is INVALID.
        there: (n,) those of these that the method is given; the others have diverged, as has one that is not finite in
            its units.
        tolerance: residual at which an image is finished.
        iterations, transforms: what the method costs for an image.
    """
    n = len(measurement)
    images = np.zeros((n, *measurement.grid), dtype=np.float32)
    residual = np.full(n, np.nan)
    status = [Status.DIVERGED if ok else Status.INVALID for ok in valid]
    numbers = np.flatnonzero(there)
    for rows in (numbers[first : first + size] for first in range(0, len(numbers), size)):
        filled = np.resize(rows, size)
        unit, part = normalised(measurement[filled])
        drawn, misfit = method(filled, part, unit)
        images[rows], right = in_units(drawn[: len(rows)], unit[: len(rows)])
        residual[rows[right]] = misfit[: len(rows)][right]
        for row in rows[right]:
            status[row] = Status.SOLVED if residual[row] <= tolerance else Status.STOPPED
    once = there.astype(np.int64)
    return Reconstruction(
        images=images,
        residual=residual,
        iterations=iterations * once,
        starts=once,
        transforms=transforms * once,
        status=status,
        kernel="portable",
    )
