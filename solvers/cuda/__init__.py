"""The CUDA kernels: iterations of a map on a block of images on a GPU, through CuPy.

They serve float32 blocks of real images with a box for a support; everything else goes the portable way, whose
functions are the reference that the kernels are tested against. Two ways lead there. Where an image fits into the
shared memory of a thread block, one launch takes it from the start to its end; other grids take cuFFT, with all else
fused into three kernels and the iterations recorded in a CUDA graph. PHASEBENCH_KERNELS=cufft asks for the second way
for all grids, PHASEBENCH_KERNELS=portable for neither.
"""

from __future__ import annotations

import logging
import os
from functools import cache

import numpy as np
from numpy.typing import NDArray

from solvers.backend import Array, Backend
from solvers.compiled import MAPS, VARIABLE
from solvers.cuda.cufft import FourierIterations
from solvers.cuda.fused import FusedKernel
from solvers.cuda.plan import refusal

__all__ = ["MAPS", "Map", "serves", "way"]

log = logging.getLogger(__name__)


def serves(backend: Backend) -> bool:
    """Whether the kernels may take real images with a box for a support on this backend."""
    wanted = os.environ.get(VARIABLE) != "portable"
    return wanted and (backend.name, backend.device, backend.precision) == ("cupy", "cuda", "float32")


def way(grid: tuple[int, int], box: tuple[int, int]) -> str:
    """How images of this size are iterated: 'fused' or 'cufft'."""
    return "cufft" if os.environ.get(VARIABLE) == "cufft" or _unfit(grid, box) else "fused"


class Map:
    """The map `name` with relaxation β, on images x (B, m1, m2) with magnitudes (B, m1, m2 // 2 + 1)."""

    def __init__(self, name: str, grid: tuple[int, int], box: tuple[int, int], nonnegative: bool, beta: float) -> None:
        """For images of this grid with the support box = (n1, n2)."""
        self._of = (grid, box, name, nonnegative)
        self._beta = beta
        self._fused = FusedKernel.of(*self._of) if way(grid, box) == "fused" else None

    def iterate(self, x: Array, magnitude: Array, count: int) -> Array:
        """The images after `count` iterations; x is left as it is."""
        fast = self._fused or FourierIterations.of(*self._of, len(x))
        return fast.iterate(x, magnitude, self._beta, count)

    def pursue(
        self, x: Array, magnitude: Array, limit: NDArray[np.int64], every: int, tolerance: float
    ) -> tuple[Array, Array, Array, Array] | None:
        """Starts to their ends, as `FusedKernel.pursue`; None where only cuFFT does this size."""
        if self._fused is None:
            return None
        return self._fused.pursue(x, magnitude, self._beta, limit, every=every, tolerance=tolerance)


@cache
def _unfit(grid: tuple[int, int], box: tuple[int, int]) -> str | None:
    """Why the fused kernel does not do this size on the current device; logged the first time."""
    reason = refusal(grid) or FusedKernel.refusal(grid, box)
    if reason:
        log.warning("no shared-memory kernel: %s; the iterations go through cuFFT", reason)
    return reason
