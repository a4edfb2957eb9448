"""The CUDA kernels: iterations of a map on a block of images on a GPU, through CuPy.

They serve float32 blocks of real and of complex images, in a box or in a support within it, measured everywhere or not.
What `takes` refuses goes the portable way, whose functions are the reference that the kernels are tested against. Two
ways lead here. Where an image fits into the shared memory of a thread block, one launch takes it from the start to its
end; other grids take cuFFT, with all else fused into three kernels and the iterations recorded in a CUDA graph.
PHASEBENCH_KERNELS=cufft asks for the second way for all grids, PHASEBENCH_KERNELS=portable for neither.
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
from solvers.cuda.kind import Kind

__all__ = ["MAPS", "Kind", "Map", "serves", "takes", "way"]

log = logging.getLogger(__name__)


def serves(backend: Backend) -> bool:
    """Whether the kernels may be used on this backend."""
    wanted = os.environ.get(VARIABLE) != "portable"
    return wanted and (backend.name, backend.device, backend.precision) == ("cupy", "cuda", "float32")


def takes(*, pixels: bool, phases: bool) -> bool:
    """Whether the kernels know images of which that is known: how many pixels differ from zero, a range of phases."""
    if not (pixels or phases):
        return True
    _announce("a support of the largest pixels" if pixels else "a range of phases")
    return False


@cache
def _announce(what: str) -> None:
    log.warning("no CUDA kernel for %s: portable code on the GPU, which is slower", what)


def way(kind: Kind) -> str:
    """How images of this kind are iterated on the current device: 'fused' or 'cufft'."""
    import cupy

    size = Kind(MAPS[0], kind.grid, kind.box, real=kind.real, supported=kind.supported)
    return "cufft" if os.environ.get(VARIABLE) == "cufft" or _unfit(size, cupy.cuda.Device().id) else "fused"


class Map:
    """A map with relaxation β, on images x, magnitudes and supports as `FusedKernel` takes them."""

    def __init__(self, kind: Kind, beta: float) -> None:
        self._kind, self._beta = kind, beta
        self._fused = FusedKernel.of(kind) if way(kind) == "fused" else None

    def iterate(self, x: Array, magnitude: Array, support: Array | None, count: int) -> Array:
        """The images after `count` iterations; x is left as it is."""
        fast = self._fused or FourierIterations.of(self._kind, len(x))
        return fast.iterate(x, magnitude, support, self._beta, count)

    def pursue(
        self, x: Array, magnitude: Array, support: Array | None, limit: NDArray[np.int64], every: int, tolerance: float
    ) -> tuple[Array, Array, Array, Array] | None:
        """Starts to their ends, as `FusedKernel.pursue`; None where only cuFFT does this size."""
        if self._fused is None:
            return None
        return self._fused.pursue(x, magnitude, support, self._beta, limit, every=every, tolerance=tolerance)


@cache
def _unfit(size: Kind, device: int) -> str | None:
    """Why the fused kernel does not do images of this size on this device, the current one; logged the first time."""
    reason = FusedKernel.refusal(size)
    if reason:
        log.warning("no shared-memory kernel: %s; the iterations go through cuFFT", reason)
    return reason
