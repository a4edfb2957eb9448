"""Iterations with cuFFT: work arrays, plans and a recorded CUDA graph that are made once, and elementwise.cu.

A set of arrays serves all batches up to its capacity, a power of two, so that a block whose images finish one by one
meets few sizes. Nothing in an iteration waits for the device.
"""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from typing import Any, ClassVar

import numpy as np

from solvers.backend import Array
from solvers.cuda.kind import Kind
from solvers.cuda.source import options, source

THREADS = 256  # of a block in an element-wise kernel
KEPT = 16  # sets of arrays that are kept: those of a block of 2048 that shrinks, and some more
RECORDED = 20  # iterations in a graph: the residual is looked at as often

log = logging.getLogger(__name__)


class FourierIterations:
    """Work arrays for up to `capacity` images of one kind; what it is given is as for `FusedKernel`."""

    _kept: ClassVar[OrderedDict[tuple, FourierIterations]] = OrderedDict()

    def __init__(self, kind: Kind, capacity: int) -> None:
        import cupy
        from cupyx.scipy.fft import get_fft_plan

        self.kind = kind
        module = cupy.RawModule(code=source("elementwise"), options=options(kind.macros()))
        self.reflect, self.constrain, self.renew = (
            module.get_function(kernel) for kernel in ("reflect", "constrain", "renew")
        )
        self.reflects = kind.name == "rrr"
        images, planes = (capacity, *kind.grid), (capacity, *kind.plane)
        self.x = cupy.zeros(images, dtype=kind.dtype)
        self.p = cupy.zeros(images, dtype=kind.dtype)
        self.z = cupy.zeros(planes, dtype=np.complex64)
        self.magnitude = cupy.zeros(planes, dtype=np.float32)
        self.support = cupy.zeros(images, dtype=np.bool_) if kind.supported else None
        there, back = ("R2C", "C2R") if kind.real else ("C2C", "C2C")
        self.forward = get_fft_plan(self.x, axes=(1, 2), value_type=there)
        self.backward = get_fft_plan(self.z, shape=kind.grid, axes=(1, 2), value_type=back)
        self.directions = cupy.cuda.cufft.CUFFT_FORWARD, cupy.cuda.cufft.CUFFT_INVERSE
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self.graphs: dict[float, Any] = {}  # by β; None where recording failed

    @classmethod
    def of(cls, kind: Kind, batch: int) -> FourierIterations:
        """One for at least this many images; the sets used last are kept."""
        import cupy

        key = (cupy.cuda.Device().id, kind, 1 << max(batch - 1, 0).bit_length())
        if key not in cls._kept:
            if len(cls._kept) >= KEPT:
                cls._kept.popitem(last=False)
            cls._kept[key] = cls(kind, key[-1])
        cls._kept.move_to_end(key)
        return cls._kept[key]

    @classmethod
    def forget(cls) -> None:
        """Give all work arrays back."""
        cls._kept.clear()

    def iterate(self, x: Array, magnitude: Array, support: Array | None, beta: float, count: int) -> Array:
        """The images after `count` iterations, in a new array."""
        import cupy

        self.kind.check(x, magnitude, support)
        outside = cupy.cuda.get_current_stream()
        self.stream.wait_event(outside.record())
        with self.stream:
            self.x[: len(x)], self.magnitude[: len(x)] = x, magnitude
            if self.support is not None:
                self.support[: len(x)] = support
            while count:
                graph = self.graph(beta) if count >= RECORDED else None
                if graph is None:
                    self.step(beta)
                    count -= 1
                else:
                    graph.launch(self.stream)
                    count -= RECORDED
            result = self.x[: len(x)].copy()
        outside.wait_event(self.stream.record())
        return result

    def step(self, beta: float) -> None:
        """One iteration on the arrays, on the current stream."""
        pixels, coefficients = np.uint64(self.x.size), np.uint64(self.z.size)
        support = np.uintp(0) if self.support is None else self.support
        given = self.x
        if self.reflects:
            given = self.p
            self._run(self.reflect, self.x, self.p, support, pixels)
        self.forward.fft(given, self.z, self.directions[0])
        self._run(self.constrain, self.z, self.magnitude, coefficients)
        self.backward.fft(self.z, self.p, self.directions[1])  # z may be overwritten
        self._run(self.renew, self.x, self.p, support, np.float32(beta), pixels)

    def graph(self, beta: float) -> Any:
        """RECORDED iterations as a CUDA graph; None, and a line of the log, where they cannot be recorded."""
        if beta not in self.graphs:
            before = self.x.copy()
            self.step(beta)  # loads what is loaded at first use, which a recording does not allow
            self.x[...] = before
            try:
                self.graphs[beta] = self._record(beta)
            except Exception as error:  # of cuFFT, CuPy or the driver, in whatever class
                log.warning("iterations are launched one by one, as no CUDA graph could be recorded: %s", error)
                self.graphs[beta] = None
        return self.graphs[beta]

    def _record(self, beta: float) -> Any:
        self.stream.begin_capture()
        try:
            for _ in range(RECORDED):
                self.step(beta)
        except Exception:
            with contextlib.suppress(Exception):  # a stream that went on recording would refuse all else
                self.stream.end_capture()
            raise
        return self.stream.end_capture()

    def _run(self, kernel: Any, first: Array, *rest: Any) -> None:
        kernel((-(-first.size // THREADS),), (THREADS,), (first, *rest))
