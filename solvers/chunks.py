"""A batch in chunks of a fixed size, for methods of torch that compute several images at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from datasets.blocks import map_blocks
from solvers.backend import Backend, torch_threads
from solvers.base import Reconstruction, Status
from solvers.iterative.units import in_units, normalised

# Of rows (B,) of the batch, their measurements in normalised units and the exponents (B,) of these: the images
# (B, m1, m2) and their residuals (B,), in these units. Several calls may be at work side by side.
Method = Callable[[NDArray[np.int64], Measurement, NDArray[np.int32]], tuple[NDArray[np.float32], NDArray[np.float64]]]


def in_chunks(
    method: Method,
    measurement: Measurement,
    backend: Backend,
    *,
    valid: NDArray[np.bool_],
    there: NDArray[np.bool_],
    size: int,
    tolerance: float | None,
    iterations: int,
    transforms: int,
    kernel: str,
    fill: bool = True,
) -> Reconstruction:
    """Run a method of torch on a batch of n images.

    On a CPU, chunks are computed side by side, each by one thread: threads that share every operation wait for each
    other in every one, which takes many times as long once another program wants one of their processors, and what they
    compute depends on how many there are.

    Args:
        method: called with `size` rows.
        backend: says where the method computes, and with how many threads.
        valid: (n,) of which there can be an image; of the others the status is INVALID.
        there: (n,) those of these that the method is given; the others have diverged, as has one that is not finite in
            its units.
        tolerance: residual at which an image is finished; None where a method does not ask whether it is.
        iterations, transforms: what the method costs for an image.
        kernel: what did the iterations, as `Reconstruction` has it.
        fill: fill up the last chunk with images of its own, so that no image depends on how many there are beside it;
            otherwise the method does so.
    """
    import torch

    n = len(measurement)
    images = np.zeros((n, *measurement.grid), dtype=np.float32)
    residual = np.full(n, np.nan)
    status = [Status.DIVERGED if ok else Status.INVALID for ok in valid]
    numbers = np.flatnonzero(there)

    def compute(chunk: slice) -> None:
        rows = numbers[chunk]
        given = np.resize(rows, size) if fill else rows
        unit, part = normalised(measurement[given])
        torch.set_num_threads(1)  # each thread has a number of its own
        drawn, misfit = method(given, part, unit)
        images[rows], right = in_units(drawn[: len(rows)], unit[: len(rows)])
        residual[rows[right]] = misfit[: len(rows)][right]
        for row in rows[right]:
            solved = tolerance is not None and residual[row] <= tolerance
            status[row] = Status.SOLVED if solved else Status.STOPPED

    # On a GPU, convolutions that give the same every time, and whose float32 is not shortened to TF32.
    with torch_threads(1), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        map_blocks(compute, len(numbers), size, backend.threads if backend.device == "cpu" else 1)
    once = there.astype(np.int64)
    return Reconstruction(
        images=images,
        residual=residual,
        iterations=iterations * once,
        starts=once,
        transforms=transforms * once,
        status=status,
        kernel=kernel,
    )
