"""What does the iterations of a projection solver fast, chosen in one place: compiled for the CPU, or in CUDA."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from solvers import compiled, cuda
from solvers.backend import Array
from solvers.block import Block
from solvers.iterative import Ends

MAPS = compiled.MAPS


class Kernel(Protocol):
    """A map on a block of images x (B, m1, m2), which are left as they are."""

    def iterate(self, x: Array, count: int) -> Array:
        """The images after `count` iterations."""

    def pursue(self, x: Array, limit: NDArray[np.int64], every: int, tolerance: float) -> Ends | None:
        """Starts to their ends, which `IterativeSolver.pursue` defines; None where the kernel does not do that."""


def kernel(name: str, block: Block, beta: float) -> Kernel | None:
    """The kernel for a map of MAPS with relaxation β on a block; None where it goes the portable way."""
    if block.compiled and block.box is not None:
        return _Compiled(name, block, block.box, beta)
    if block.on_gpu and block.box is not None:
        return _Cuda(name, block, block.box, beta)
    return None


class _Compiled:
    def __init__(self, name: str, block: Block, box: tuple[int, int], beta: float) -> None:
        self._backend = block.backend
        magnitude = block.backend.to_numpy(block.magnitude)
        self._map = compiled.Projection(name, magnitude, block.grid, box, nonnegative=block.nonnegative, beta=beta)

    def iterate(self, x: Array, count: int) -> Array:
        images = self._backend.to_numpy(x).copy()
        self._map.iterate(images, count)
        return self._backend.asarray(images)

    def pursue(self, x: Array, limit: NDArray[np.int64], every: int, tolerance: float) -> Ends:
        images = self._backend.to_numpy(x).copy()
        age, estimate, residual = self._map.pursue(images, limit, every, tolerance)
        as_array = self._backend.asarray
        return Ends((as_array(images),), age, as_array(estimate), as_array(residual))


class _Cuda:
    def __init__(self, name: str, block: Block, box: tuple[int, int], beta: float) -> None:
        self._backend, self._magnitude = block.backend, block.magnitude
        self._map = cuda.Map(name, block.grid, box, block.nonnegative, beta)

    def iterate(self, x: Array, count: int) -> Array:
        return self._map.iterate(x, self._magnitude, count)

    def pursue(self, x: Array, limit: NDArray[np.int64], every: int, tolerance: float) -> Ends | None:
        found = self._map.pursue(x, self._magnitude, limit, every, tolerance)
        if found is None:
            return None
        following, age, estimate, residual = found
        return Ends((following,), self._backend.to_numpy(age).astype(np.int64), estimate, residual)
