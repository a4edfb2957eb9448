"""Many iterations in one launch, each image in the shared memory of a thread block: projection.cu."""

from __future__ import annotations

from functools import cache

import numpy as np

from solvers.backend import Array
from solvers.cuda.plan import plan
from solvers.cuda.source import map_macros, options, source


class FusedKernel:
    """The kernel for one grid, box and map, compiled for the current device."""

    def __init__(self, grid: tuple[int, int], box: tuple[int, int], name: str, nonnegative: bool) -> None:
        import cupy

        self.plan = plan(grid, box)
        macros = self.plan.macros() | map_macros(name, nonnegative)
        self.module = cupy.RawModule(code=source("projection"), options=options(macros))
        self.kernel = self.module.get_function("iterate")
        self.kernel.max_dynamic_shared_size_bytes = self.plan.shared_bytes

    @staticmethod
    @cache
    def of(grid: tuple[int, int], box: tuple[int, int], name: str, nonnegative: bool) -> FusedKernel:
        """The one for this purpose; CuPy keeps what it compiled on disk."""
        return FusedKernel(grid, box, name, nonnegative)

    @staticmethod
    def refusal(grid: tuple[int, int], box: tuple[int, int]) -> str | None:
        """Why a grid that has a plan does not run on the current device; None where it does."""
        import cupy

        needed = plan(grid, box).shared_bytes
        limit = cupy.cuda.Device().attributes["MaxSharedMemoryPerBlockOptin"]
        if needed > limit:
            return f"a block of {grid[0]}×{grid[1]} needs {needed} bytes of shared memory, this device has {limit}"
        return None

    def iterate(self, x: Array, magnitude: Array, beta: float, count: int) -> Array:
        """x (B, m1, m2) after `count` iterations."""
        return self._launch(x, magnitude, beta, count, checked=False)[0]

    def iterate_and_check(self, x: Array, magnitude: Array, beta: float, count: int) -> tuple[Array, Array, Array]:
        """The same, with the images that the new iterates stand for and their residual (B,)."""
        return self._launch(x, magnitude, beta, count, checked=True)

    def _launch(self, x: Array, magnitude: Array, beta: float, count: int, *, checked: bool) -> tuple:
        import cupy

        x, magnitude = cupy.ascontiguousarray(x), cupy.ascontiguousarray(magnitude)
        if count == 0 and not checked:
            return x, None, None
        if count < 1 or x.dtype != np.float32 or magnitude.dtype != np.float32:
            raise ValueError(f"the kernel does one or more iterations in float32, not {count} in {x.dtype}")
        following = cupy.empty_like(x)
        estimate = cupy.empty_like(x) if checked else None
        residual = cupy.empty(len(x), dtype=x.dtype) if checked else None
        nothing = np.uintp(0)
        arguments = (
            x,
            magnitude,
            following,
            estimate if checked else nothing,
            residual if checked else nothing,
            np.float32(beta),
            np.int32(count),
        )
        if len(x):
            self.kernel((len(x),), (self.plan.threads,), arguments, shared_mem=self.plan.shared_bytes)
        return following, estimate, residual
