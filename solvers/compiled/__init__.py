"""The compiled kernels: iterations of a map or of ALM on a block of images, and the search of the score.

They serve real images in float32 on the CPU, iterations those with a box for a support. Everything else goes the
portable way, whose functions are the reference that the kernels are tested against. Setting PHASEBENCH_KERNELS=portable
leaves them out.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solvers.errors import UnavailableError

MAPS = ("er", "hio", "raar", "difference_map", "rrr")  # in the order of the kernel's enumeration
VARIABLE = "PHASEBENCH_KERNELS"
CHOICES = ("portable", "cufft")  # cufft is for the kernels of a GPU

# Of B images whose start has ended: int64 (B,) iterations done, float32 (B, m1, m2) the estimate with the smallest
# residual of those looked at, and that residual (B,). Zeros and infinite where it never was finite.
Found = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]

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


class _Pursuit(ctypes.Structure):
    """`Pursuit` of pursuit.h."""

    _fields_ = (
        ("limit", ctypes.c_void_p),
        ("every", _INT),
        ("tolerance", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ("age", "residual", "estimate")),
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
    """The shared library; None where it was not built or is not wanted.

    Raises:
        UnavailableError: the environment asks for other kernels than there are.
    """
    wanted = os.environ.get(VARIABLE) or None
    if wanted is not None and wanted not in CHOICES:
        raise UnavailableError(f"{VARIABLE}='{wanted}': choose {' or '.join(CHOICES)}, or leave it unset")
    if wanted == "portable":
        return None
    built = [*Path(__file__).parent.glob("_projection*.so"), *Path(__file__).parent.glob("_projection*.pyd")]
    if not built:
        return None
    kernel = ctypes.CDLL(str(built[0]))
    if not hasattr(kernel, "phasebench_pursue"):
        return None  # built from an older source: as good as not built, until the package is installed again
    kernel.phasebench_supports.argtypes = [_INT]
    kernel.phasebench_project.argtypes = [ctypes.POINTER(_ProjectionProblem), _FLOATS, _INT]
    kernel.phasebench_pursue.argtypes = [ctypes.POINTER(_ProjectionProblem), ctypes.POINTER(_Pursuit), _FLOATS]
    kernel.phasebench_residual.argtypes = [_FLOATS, _FLOATS, _INT, _INT, _INT, _FLOATS]
    alm = ctypes.POINTER(_AlmProblem), ctypes.POINTER(_AlmState)
    kernel.phasebench_lagrangian.argtypes = [*alm, _INT]
    kernel.phasebench_pursue_lagrangian.argtypes = [*alm, ctypes.POINTER(_Pursuit)]
    kernel.phasebench_search.argtypes = [ctypes.POINTER(_SearchProblem)]
    return kernel


@cache
def supports(grid: tuple[int, int]) -> bool:
    """Whether the kernels are here and transform images of this size: products of 2, 3, 4 and 5."""
    kernel = kernels()
    return kernel is not None and all(kernel.phasebench_supports(m) for m in grid)


class Projection:
    """A map on B images. Both methods take these, float32 (B, m1, m2), and leave the new iterates in them."""

    def __init__(
        self,
        name: str,
        magnitude: NDArray[np.float32],
        grid: tuple[int, int],
        box: tuple[int, int],
        *,
        nonnegative: bool,
        beta: float,
    ) -> None:
        """The map `name` with magnitudes (B, m1, m2 // 2 + 1) and the support box = (n1, n2)."""
        _check(magnitude)
        self._magnitude = magnitude  # it must outlive the pointer
        self._problem = _ProjectionProblem(
            magnitude.ctypes.data, len(magnitude), *grid, *box, MAPS.index(name), nonnegative, beta
        )

    def iterate(self, x: NDArray[np.float32], count: int) -> None:
        """`count` iterations."""
        _call("phasebench_project", self._problem, x, count)

    def pursue(self, x: NDArray[np.float32], limit: NDArray[np.int64], every: int, tolerance: float) -> Found:
        """Iterations up to an image's limit (B,), or until a look at its residual ends them: one within the tolerance,
        or the first if it is not finite."""
        call = lambda pursuit: _call("phasebench_pursue", self._problem, pursuit, x)  # noqa: E731
        return _pursue(x.shape, limit, every, tolerance, call)


class Lagrangian:
    """ALM on B images, whose iterates both methods change in place."""

    def __init__(
        self,
        state: list[NDArray[np.float32]],
        steps: list[NDArray[np.float32]],
        changes: list[NDArray[np.float32]],
        magnitude: NDArray[np.float32],
        box: tuple[int, int],
        *,
        nonnegative: bool,
        parameters: Mapping[str, float],
    ) -> None:
        """ALM with magnitudes (B, m1, m2 // 2 + 1) and the support box = (n1, n2).

        Args:
            state: the arrays of an iterate, (B, m1, m2) or (B,), in the order of the kernel's `AlmState`.
            steps, changes: curvature pairs, each (B, m1, m2), oldest first.
            parameters: inner, shrink, growth, rho_max, armijo and backtracks.
        """
        _check(*state, *steps, *changes, magnitude)
        self._arrays = [*state, *steps, *changes, magnitude]  # they must outlive the pointers
        self._shape = state[0].shape
        pointers = ctypes.c_void_p * max(len(steps), 1)
        tables = [pointers(*(a.ctypes.data for a in arrays)) for arrays in (steps, changes)]
        self._problem = _AlmProblem(magnitude.ctypes.data, *self._shape, *box, nonnegative, len(steps), **parameters)
        self._state = _AlmState(*(a.ctypes.data for a in state), *tables)

    def iterate(self, count: int) -> None:
        """`count` iterations."""
        _call("phasebench_lagrangian", self._problem, self._state, count)

    def pursue(self, limit: NDArray[np.int64], every: int, tolerance: float) -> Found:
        """As that of `Projection`."""
        call = partial(_call, "phasebench_pursue_lagrangian", self._problem, self._state)
        return _pursue(self._shape, limit, every, tolerance, call)


def residual(x: NDArray[np.float32], magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B,) ‖|Fx| − √Y‖ / ‖√Y‖ of images x (B, m1, m2) with magnitudes (B, m1, m2 // 2 + 1)."""
    out = np.empty(len(x), np.float32)
    _call("phasebench_residual", x, magnitude, *x.shape, out)
    return out


def search(
    truth: NDArray[np.float32], reconstruction: NDArray[np.float32], circular: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The window of each reconstruction (B, m1, m2) that explains most of its truth (B, n1, n2), both finite.

    Args:
        circular: a window may wrap around the border.

    Returns:
        (B,) row and column of the window's corner, and whether it shows the truth turned by 180 degrees.
    """
    _check(truth, reconstruction)
    assert len(truth) == len(reconstruction)
    assert all(1 <= n <= m for n, m in zip(truth.shape[1:], reconstruction.shape[1:], strict=True))
    row, column = np.empty((2, len(truth)), np.int64)
    flipped = np.empty(len(truth), np.bool_)
    problem = _SearchProblem(
        *(a.ctypes.data for a in (truth, reconstruction)),
        *(*reconstruction.shape, *truth.shape[1:], circular),
        *(a.ctypes.data for a in (row, column, flipped)),
    )
    _call("phasebench_search", problem)
    return row, column, flipped


def _pursue(
    shape: tuple[int, ...],
    limit: NDArray[np.int64],
    every: int,
    tolerance: float,
    call: Callable[[_Pursuit], None],
) -> Found:
    """What a kernel's entry, called with a `Pursuit` of images (B, m1, m2), writes into it."""
    most = limit.astype(np.int32)
    age, estimate = np.zeros(shape[0], np.int32), np.zeros(shape, np.float32)
    residual = np.full(shape[0], np.inf, np.float32)
    results = (a.ctypes.data for a in (age, residual, estimate))
    call(_Pursuit(most.ctypes.data, every, tolerance, *results))
    return age.astype(np.int64), estimate, residual


def _check(*arrays: NDArray) -> None:
    assert all(a.dtype == np.float32 and a.flags.c_contiguous for a in arrays)


def _call(entry: str, *arguments: object) -> None:
    kernel = kernels()
    assert kernel is not None
    if getattr(kernel, entry)(*arguments):
        raise MemoryError("no memory for an image")
