"""The CUDA kernels: iterations of a map on a block of images on a GPU, through CuPy.

They serve float32 blocks of real images with a box for a support; everything else goes the portable way, whose
functions are the reference that the kernels are tested against. Two ways lead there. Where an image fits into the
shared memory of a thread block, one kernel does all iterations of a launch; other grids take cuFFT, with all else
fused into three kernels and the iterations recorded in a CUDA graph. PHASEBENCH_KERNELS=cufft asks for the second way
for all grids, PHASEBENCH_KERNELS=portable for neither.
"""

from __future__ import annotations

import logging
import os
from functools import cache

from solvers.backend import Array, Backend
from solvers.compiled import MAPS, VARIABLE
from solvers.cuda.cufft import FourierIterations
from solvers.cuda.fused import FusedKernel
from solvers.cuda.plan import refusal

__all__ = ["MAPS", "iterate", "iterate_and_check", "serves", "way"]

log = logging.getLogger(__name__)


def serves(backend: Backend) -> bool:
    """Whether the kernels may take real images with a box for a support on this backend."""
    wanted = os.environ.get(VARIABLE) != "portable"
    return wanted and (backend.name, backend.device, backend.precision) == ("cupy", "cuda", "float32")


def way(grid: tuple[int, int], box: tuple[int, int]) -> str:
    """How images of this size are iterated: 'fused' or 'cufft'."""
    return "cufft" if os.environ.get(VARIABLE) == "cufft" or _unfit(grid, box) else "fused"


def iterate(
    name: str,
    x: Array,
    magnitude: Array,
    box: tuple[int, int],
    *,
    nonnegative: bool,
    beta: float,
    count: int,
) -> Array:
    """The images x (B, m1, m2) after `count` iterations of the map `name`; x is left as it is.

    Args:
        magnitude: (B, m1, m2 // 2 + 1).
        box: (n1, n2), the support.
    """
    grid = (x.shape[1], x.shape[2])
    if way(grid, box) == "fused":
        return FusedKernel.of(grid, box, name, nonnegative).iterate(x, magnitude, beta, count)
    return FourierIterations.of(grid, box, name, nonnegative, len(x)).iterate(x, magnitude, beta, count)


def iterate_and_check(
    name: str,
    x: Array,
    magnitude: Array,
    box: tuple[int, int],
    *,
    nonnegative: bool,
    beta: float,
    count: int,
) -> tuple[Array, Array, Array] | None:
    """The same, with the images (B, m1, m2) that the new iterates stand for and their residual (B,).

    None where that is no saving: the fused kernel alone gets the two almost for nothing.
    """
    grid = (x.shape[1], x.shape[2])
    if way(grid, box) != "fused":
        return None
    return FusedKernel.of(grid, box, name, nonnegative).iterate_and_check(x, magnitude, beta, count)


@cache
def _unfit(grid: tuple[int, int], box: tuple[int, int]) -> str | None:
    """Why the fused kernel does not do this size on the current device, said aloud the first time."""
    reason = refusal(grid) or FusedKernel.refusal(grid, box)
    if reason:
        log.warning("no shared-memory kernel: %s; the iterations go through cuFFT", reason)
    return reason
