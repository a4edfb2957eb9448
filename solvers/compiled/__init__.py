"""The compiled kernels: iterations of a map or of ALM on a block of images, and the search of the score.

They serve real images in float32 on the CPU, iterations those with a box for a support. Everything else goes the
portable way, whose functions are the reference that the kernels are tested against. Setting PHASEBENCH_KERNELS=portable
leaves them out.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAPS = ("er", "hio", "raar", "difference_map", "rrr")  # in the order of the kernel's enumeration
VARIABLE = "PHASEBENCH_KERNELS"

_FLOATS = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
_INT = ctypes.c_int


class _ProjectionProblem(ctypes.Structure):
    """`ProjectionProblem` of projection.cpp."""

    _fields_ = (
        ("magnitude", ctypes.c_void_p),
        *((name, _INT) for name in ("batch", "m1", "m2", "n1", "n2", "map", "nonnegative")),
        ("beta", ctypes.c_float),
    )


class _AlmProblem(ctypes.Structure):
    """`AlmProblem` of lagrangian.cpp."""

    _fields_ = (
        ("magnitude", ctypes.c_void_p),
        *((name, _INT) for name in ("batch", "m1", "m2", "n1", "n2", "nonnegative", "memory", "inner")),
        *((name, ctypes.c_float) for name in ("shrink", "growth", "rho_max", "armijo")),
        ("backtracks", _INT),
    )


class _AlmState(ctypes.Structure):
    """`AlmState` of lagrangian.cpp."""

    _fields_ = (
        *((f"array{i}", ctypes.c_void_p) for i in range(9)),
        ("steps", ctypes.POINTER(ctypes.c_void_p)),
        ("changes", ctypes.POINTER(ctypes.c_void_p)),
    )


class _SearchProblem(ctypes.Structure):
    """`SearchProblem` of score.cpp."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("truth", "reconstruction")),
        *((name, _INT) for name in ("batch", "m1", "m2", "n1", "n2", "circular")),
        *((name, ctypes.c_void_p) for name in ("row", "column", "flipped")),
    )


@cache
def kernels() -> ctypes.CDLL | None:
    """The shared library; None where it was not built or is not wanted."""
    if os.environ.get(VARIABLE) == "portable":
        return None
    built = [*Path(__file__).parent.glob("_projection*.so"), *Path(__file__).parent.glob("_projection*.pyd")]
    if not built:
        return None
    kernel = ctypes.CDLL(str(built[0]))
    if not hasattr(kernel, "phasebench_search"):
        return None  # built from an older source: as good as not built, until the package is installed again
    kernel.phasebench_supports.argtypes = [_INT]
    kernel.phasebench_project.argtypes = [ctypes.POINTER(_ProjectionProblem), _FLOATS, _INT, *[ctypes.c_void_p] * 2]
    kernel.phasebench_residual.argtypes = [_FLOATS, _FLOATS, _INT, _INT, _INT, _FLOATS]
    kernel.phasebench_lagrangian.argtypes = [ctypes.POINTER(_AlmProblem), ctypes.POINTER(_AlmState), _INT]
    kernel.phasebench_search.argtypes = [ctypes.POINTER(_SearchProblem)]
    return kernel


@cache
def supports(grid: tuple[int, int]) -> bool:
    """Whether the kernels are here and transform images of this size: products of 2, 3, 4 and 5."""
    kernel = kernels()
    return kernel is not None and all(kernel.phasebench_supports(m) for m in grid)


def iterate(
    name: str,
    x: NDArray[np.float32],
    magnitude: NDArray[np.float32],
    box: tuple[int, int],
    *,
    nonnegative: bool,
    beta: float,
    count: int,
    check: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """`count` iterations of the map `name` on the images x (B, m1, m2), in place.

    Args:
        magnitude: (B, m1, m2 // 2 + 1).
        box: (n1, n2), the support.

    Returns:
        With `check`, the images (B, m1, m2) that the iterates stand for, and the residual (B,) of those.
    """
    kernel = kernels()
    assert kernel is not None
    assert magnitude.dtype == np.float32
    assert magnitude.flags.c_contiguous
    problem = _ProjectionProblem(magnitude.ctypes.data, *x.shape, *box, MAPS.index(name), nonnegative, beta)
    found = (np.empty_like(x), np.empty(len(x), np.float32)) if check else None
    if kernel.phasebench_project(problem, x, count, *((a.ctypes.data for a in found) if found else (None, None))):
        raise MemoryError("no memory for an image")
    return found


def residual(x: NDArray[np.float32], magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B,) ‖|Fx| − √Y‖ / ‖√Y‖ of images x (B, m1, m2) with magnitudes (B, m1, m2 // 2 + 1)."""
    kernel = kernels()
    assert kernel is not None
    out = np.empty(len(x), np.float32)
    if kernel.phasebench_residual(x, magnitude, *x.shape, out):
        raise MemoryError("no memory for an image")
    return out


def alm(
    state: list[NDArray[np.float32]],
    steps: list[NDArray[np.float32]],
    changes: list[NDArray[np.float32]],
    magnitude: NDArray[np.float32],
    box: tuple[int, int],
    *,
    nonnegative: bool,
    parameters: Mapping[str, float],
    count: int,
) -> None:
    """`count` ALM iterations on B images, in place.

    Args:
        state: the arrays of an ALM iterate, (B, m1, m2) or (B,), in the order of the kernel's `AlmState`.
        steps, changes: curvature pairs, each (B, m1, m2), oldest first.
        magnitude: (B, m1, m2 // 2 + 1).
        box: (n1, n2), the support.
        parameters: inner, shrink, growth, rho_max, armijo and backtracks.
    """
    kernel = kernels()
    assert kernel is not None
    assert all(a.dtype == np.float32 and a.flags.c_contiguous for a in (*state, *steps, *changes, magnitude))
    problem = _AlmProblem(magnitude.ctypes.data, *state[0].shape, *box, nonnegative, len(steps), **parameters)
    pointers = ctypes.c_void_p * max(len(steps), 1)
    tables = [pointers(*(a.ctypes.data for a in arrays)) for arrays in (steps, changes)]
    if kernel.phasebench_lagrangian(problem, _AlmState(*(a.ctypes.data for a in state), *tables), count):
        raise MemoryError("no memory for an image")


def search(
    truth: NDArray[np.float32], reconstruction: NDArray[np.float32], circular: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The window of each reconstruction (B, m1, m2) that explains most of its truth (B, n1, n2), both finite.

    Args:
        circular: a window may wrap around the border.

    Returns:
        (B,) row and column of the window's corner, and whether it shows the truth turned by 180 degrees.
    """
    kernel = kernels()
    assert kernel is not None
    assert all(a.dtype == np.float32 and a.flags.c_contiguous for a in (truth, reconstruction))
    assert len(truth) == len(reconstruction)
    assert all(1 <= n <= m for n, m in zip(truth.shape[1:], reconstruction.shape[1:], strict=True))
    row, column = np.empty((2, len(truth)), np.int64)
    flipped = np.empty(len(truth), np.bool_)
    problem = _SearchProblem(
        *(a.ctypes.data for a in (truth, reconstruction)),
        *(*reconstruction.shape, *truth.shape[1:], circular),
        *(a.ctypes.data for a in (row, column, flipped)),
    )
    if kernel.phasebench_search(problem):
        raise MemoryError("no memory for an image")
    return row, column, flipped
