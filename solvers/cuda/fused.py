"""A start in one launch, each image in the shared memory of a thread block: projection.cu."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from solvers.backend import Array
from solvers.cuda.kind import Kind
from solvers.cuda.plan import plan, refusal
from solvers.cuda.source import options, source


class FusedKernel:
    """The kernel for one kind, compiled for the current device.

    Its images x are float32 or complex64 (B, m1, m2), their magnitudes float32 (B, *kind.plane), and their support is
    bool (B, m1, m2), or None where the box is.
    """

    _kept: ClassVar[dict[tuple[int, Kind], FusedKernel]] = {}

    def __init__(self, kind: Kind) -> None:
        import cupy

        self.kind, self.plan = kind, plan(kind)
        macros = kind.macros() | self.plan.macros()
        self.module = cupy.RawModule(code=source("projection"), options=options(macros))
        self.kernel = self.module.get_function("pursue")
        self.kernel.max_dynamic_shared_size_bytes = self.plan.shared_bytes

    @classmethod
    def of(cls, kind: Kind) -> FusedKernel:
        """The one for this purpose on the current device; CuPy keeps what it compiled on disk."""
        import cupy

        key = (cupy.cuda.Device().id, kind)
        if key not in cls._kept:
            cls._kept[key] = cls(kind)
        return cls._kept[key]

    @classmethod
    def forget(cls) -> None:
        """Compile anew when one is asked for."""
        cls._kept.clear()

    @staticmethod
    def refusal(kind: Kind) -> str | None:
        """Why images of this kind do not take this kernel on the current device; None where they do."""
        import cupy

        if reason := refusal(kind.grid, kind.real):
            return reason
        needed = plan(kind).shared_bytes
        limit = cupy.cuda.Device().attributes["MaxSharedMemoryPerBlockOptin"]
        if needed > limit:
            m1, m2 = kind.grid
            return f"a block of {m1}×{m2} needs {needed} bytes of shared memory, this device has {limit}"
        return None

    def iterate(self, x: Array, magnitude: Array, support: Array | None, beta: float, count: int) -> Array:
        """The images after `count` iterations."""
        return self._launch(x, magnitude, support, beta, np.full(len(x), count), every=count)[0] if count else x

    def iterate_and_check(
        self, x: Array, magnitude: Array, support: Array | None, beta: float, count: int
    ) -> tuple[Array, Array, Array]:
        """The same, with the images that the new iterates stand for and their residual (B,)."""
        following, _, estimate, residual = self.pursue(
            x, magnitude, support, beta, np.full(len(x), count), every=count, tolerance=0.0
        )
        return following, estimate, residual

    def pursue(
        self,
        x: Array,
        magnitude: Array,
        support: Array | None,
        beta: float,
        limit: NDArray[np.int64],
        *,
        every: int,
        tolerance: float,
    ) -> tuple[Array, Array, Array, Array]:
        """Starts to their ends, which `IterativeSolver.pursue` defines.

        Returns:
            The new iterates; int32 (B,) iterations done; the estimates with the smallest residual of those that were
            looked at, zero where it never was finite; and that residual (B,), infinite likewise.
        """
        import cupy

        estimate = cupy.zeros_like(x)
        following, age, residual = self._launch(x, magnitude, support, beta, limit, every, tolerance, estimate)
        return following, age, estimate, residual

    def _launch(
        self,
        x: Array,
        magnitude: Array,
        support: Array | None,
        beta: float,
        limit: NDArray[np.int64],
        every: int,
        tolerance: float = 0.0,
        estimate: Array | None = None,
    ) -> tuple[Array, Array, Array]:
        """The new iterates, iterations and residuals; without an `estimate`, nothing is looked at."""
        import cupy

        self.kind.check(x, magnitude, support)
        if every < 1 or (limit < 1).any():
            raise ValueError(f"the kernel does one or more iterations, not {limit}")
        x, magnitude = cupy.ascontiguousarray(x), cupy.ascontiguousarray(magnitude)
        support = None if support is None else cupy.ascontiguousarray(support)
        following = cupy.empty_like(x)
        age = cupy.zeros(len(x), dtype=np.int32)
        residual = cupy.full(len(x), np.inf, dtype=np.float32)
        arguments = (
            *(x, magnitude, following, np.uintp(0) if estimate is None else estimate, residual, age),
            *(cupy.asarray(limit, dtype=np.int32), np.int32(every), np.float64(tolerance), np.float32(beta)),
            np.uintp(0) if support is None else support,
        )
        if len(x):
            self.kernel((len(x),), (self.plan.threads,), arguments, shared_mem=self.plan.shared_bytes)
        return following, age, residual
