"""Which code the compiled and the CUDA kernels stand in for, and the kernel for a map on a block of images.

A kernel is a second implementation of some methods of one class, and is bound to these very functions: a solver that is
made from the class and overrides one of them runs the portable code, with its own method.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from solvers import compiled, cuda
from solvers.backend import Array, Backend
from solvers.iterative.block import Block
from solvers.iterative.state import Ends

log = logging.getLogger(__name__)

Class = TypeVar("Class", bound=type)

ITERATION = ("begin", "advance", "estimate", "advance_and_check", "pursue")  # of any iterative solver

_REPLACED: dict[type, tuple[str, dict[str, object]]] = {}  # the kernel of a class, and the functions it stands in for


def replaced_by(name: str, *methods: str) -> Callable[[Class], Class]:
    """Mark a class whose iterations, made of these methods, the kernel `name` does as well."""

    def mark(kind: Class) -> Class:
        _REPLACED[kind] = name, {method: getattr(kind, method) for method in (*ITERATION, *methods)}
        return kind

    return mark


def replacement(kind: type) -> str | None:
    """The kernel that does the iterations of this class; None where there is none, or a method is overridden."""
    for ancestor in kind.__mro__:
        if ancestor in _REPLACED:
            name, methods = _REPLACED[ancestor]
            overridden = tuple(method for method, known in methods.items() if getattr(kind, method) is not known)
            if overridden:
                _say_once(kind, overridden, ancestor)
            return None if overridden else name
    return None


@cache
def _say_once(kind: type, overridden: tuple[str, ...], ancestor: type) -> None:
    log.warning(
        "%s overrides %s of %s: its iterations run the portable code, which is slower than the kernel",
        kind.__name__,
        ", ".join(overridden),
        ancestor.__name__,
    )


class Kernel(Protocol):
    """A map on a block of images x (B, m1, m2), which are left as they are."""

    label: str  # what it is called in a `Reconstruction`

    def iterate(self, x: Array, count: int) -> Array:
        """The images after `count` iterations."""

    def pursue(self, x: Array, limit: NDArray[np.int64], every: int, tolerance: float) -> Ends | None:
        """Starts to their ends, which `IterativeSolver.pursue` defines; None where the kernel does not do that."""


def serve(block: Block) -> bool:
    """Whether there are kernels for the maps on this block."""
    return block.constraints is not None or block.on_gpu


def kernel(name: str, block: Block, beta: float) -> Kernel | None:
    """The kernel for a map with relaxation β on a block; None where there is none."""
    if block.constraints is not None:
        return _Compiled(name, block.backend, block.constraints, beta)
    if block.on_gpu:
        return _Cuda(name, block, beta)
    return None


class _Compiled:
    label = "compiled"

    def __init__(self, name: str, backend: Backend, constraints: compiled.Constraints, beta: float) -> None:
        self._backend = backend
        self._map = compiled.Projection(name, constraints, beta)

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
    def __init__(self, name: str, block: Block, beta: float) -> None:
        kind = cuda.Kind(
            name,
            block.grid,
            block.box or block.frame or block.grid,
            nonnegative=block.nonnegative,
            real=block.real,
            masked=block.masked,
            supported=block.box is None,
        )
        self._backend = block.backend
        self._constraints = block.magnitude, block.support if kind.supported else None
        self._map = cuda.Map(kind, beta)
        self.label = "cuda" if cuda.way(kind) == "fused" else "cufft"

    def iterate(self, x: Array, count: int) -> Array:
        return self._map.iterate(x, *self._constraints, count)

    def pursue(self, x: Array, limit: NDArray[np.int64], every: int, tolerance: float) -> Ends | None:
        found = self._map.pursue(x, *self._constraints, limit, every, tolerance)
        if found is None:
            return None
        following, age, estimate, residual = found
        return Ends((following,), self._backend.to_numpy(age).astype(np.int64), estimate, residual)
