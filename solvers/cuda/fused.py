"""A start in one launch, each image in the shared memory of a thread block: projection.cu."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

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
        self.kernel = self.module.get_function("pursue")
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
        return self._launch(x, magnitude, beta, np.full(len(x), count), every=count)[0] if count else x

    def iterate_and_check(self, x: Array, magnitude: Array, beta: float, count: int) -> tuple[Array, Array, Array]:
        """The same, with the images that the new iterates stand for and their residual (B,)."""
        following, _, estimate, residual = self.pursue(
            x, magnitude, beta, np.full(len(x), count), every=count, tolerance=0.0
        )
        return following, estimate, residual

    def pursue(
        self,
        x: Array,
        magnitude: Array,
        beta: float,
        limit: NDArray[np.int64],
        *,
        every: int,
        tolerance: float,
    ) -> tuple[Array, Array, Array, Array]:
        """Starts x (B, m1, m2) to their ends, which `IterativeSolver.pursue` defines.

        Returns:
            The new iterates; int32 (B,) iterations done; the estimates with the smallest residual of those that were
            looked at, zero where it never was finite; and that residual (B,), infinite likewise.
        """
        import cupy

        estimate = cupy.zeros(x.shape, dtype=np.float32)
        following, age, residual = self._launch(x, magnitude, beta, limit, every, tolerance, estimate)
        return following, age, estimate, residual

    def _launch(
        self,
        x: Array,
        magnitude: Array,
        beta: float,
        limit: NDArray[np.int64],
        every: int,
        tolerance: float = 0.0,
        estimate: Array | None = None,
    ) -> tuple[Array, Array, Array]:
        """The new iterates, iterations and residuals; without an `estimate`, nothing is looked at."""
        import cupy

        x, magnitude = cupy.ascontiguousarray(x), cupy.ascontiguousarray(magnitude)
        if x.dtype != np.float32 or magnitude.dtype != np.float32 or every < 1 or (limit < 1).any():
            raise ValueError(f"the kernel does one or more iterations in float32, not {limit} in {x.dtype}")
        following = cupy.empty_like(x)
        age = cupy.zeros(len(x), dtype=np.int32)
        residual = cupy.full(len(x), np.inf, dtype=np.float32)
        arguments = (
            *(x, magnitude, following, np.uintp(0) if estimate is None else estimate, residual, age),
            *(cupy.asarray(limit, dtype=np.int32), np.int32(every), np.float64(tolerance), np.float32(beta)),
        )
        if len(x):
            self.kernel((len(x),), (self.plan.threads,), arguments, shared_mem=self.plan.shared_bytes)
        return following, age, residual
