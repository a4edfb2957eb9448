"""The compiled kernels: iterations of a map on a block of images, and the parts of an ALM step.

They serve float32 blocks of real images with a box for a support, on the CPU; everything else goes the portable way,
whose functions are the reference that the kernels are tested against. Setting PHASEBENCH_KERNELS=portable leaves
them out.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LANES = 16  # images that the kernel works on at once
MAPS = ("er", "hio", "raar", "difference_map", "rrr")  # in the order of the kernel's enumeration
VARIABLE = "PHASEBENCH_KERNELS"

_FLOATS = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
_INT = ctypes.c_int


@cache
def library() -> ctypes.CDLL | None:
    """The shared library; None where it was not built or is not wanted."""
    if os.environ.get(VARIABLE) == "portable":
        return None
    built = [*Path(__file__).parent.glob("_projection*.so"), *Path(__file__).parent.glob("_projection*.pyd")]
    if not built:
        return None
    kernel = ctypes.CDLL(str(built[0]))
    kernel.phasebench_supports.argtypes = [_INT]
    kernel.phasebench_iterate.argtypes = [_FLOATS, _FLOATS, *[_INT] * 7, ctypes.c_float, _INT]
    kernel.phasebench_residual.argtypes = [_FLOATS, _FLOATS, _INT, _INT, _INT, _FLOATS]
    pointers = ctypes.POINTER(ctypes.c_void_p)
    kernel.phasebench_direction.argtypes = [_FLOATS, pointers, pointers, _INT, _INT, ctypes.c_size_t, _FLOATS, _FLOATS]
    kernel.phasebench_direction.restype = None
    kernel.phasebench_lagrangian.argtypes = [_FLOATS, _FLOATS, _FLOATS, _FLOATS, *[_INT] * 6, *[_FLOATS] * 3]
    kernel.phasebench_lagrangian.restype = None
    return kernel


@cache
def supports(grid: tuple[int, int]) -> bool:
    """Whether the kernel is here and transforms images of this size: m1 even, both products of 2, 3, 4 and 5."""
    kernel = library()
    return kernel is not None and grid[0] % 2 == 0 and all(kernel.phasebench_supports(m) for m in grid)


def iterate(
    name: str,
    x: NDArray[np.float32],
    magnitude: NDArray[np.float32],
    box: tuple[int, int],
    *,
    nonnegative: bool,
    beta: float,
    count: int,
) -> None:
    """`count` iterations of the map `name` on the images x (B, m1, m2), in place.

    Args:
        magnitude: (B, m1, m2 // 2 + 1).
        box: (n1, n2), the support.
    """
    kernel = library()
    assert kernel is not None
    for first in range(0, len(x), LANES):
        part = slice(first, first + LANES)
        status = kernel.phasebench_iterate(
            x[part], magnitude[part], len(x[part]), *x.shape[1:], *box, MAPS.index(name), nonnegative, beta, count
        )
        if status:
            raise MemoryError("no memory for a block of images")


def residual(x: NDArray[np.float32], magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B,) ‖|Fx| − √Y‖ / ‖√Y‖ of images x (B, m1, m2) with magnitudes (B, m1, m2 // 2 + 1)."""
    kernel = library()
    assert kernel is not None
    out = np.empty(len(x), np.float32)
    for first in range(0, len(x), LANES):
        part = slice(first, first + LANES)
        if kernel.phasebench_residual(x[part], magnitude[part], len(x[part]), *x.shape[1:], out[part]):
            raise MemoryError("no memory for a block of images")
    return out


def project_magnitude(x: NDArray[np.float32], magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """P_M x for images (B, m1, m2): error reduction with all of the grid for a support."""
    out = x.copy()
    iterate("er", out, magnitude, (x.shape[1], x.shape[2]), nonnegative=False, beta=0.0, count=1)
    return out


def direction(
    gradient: NDArray[np.float32], steps: list[NDArray[np.float32]], changes: list[NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The L-BFGS direction (B, m1, m2) and its slope (B,), from pairs (B, m1, m2), oldest first."""
    kernel = library()
    assert kernel is not None
    out, slope = np.empty_like(gradient), np.empty(len(gradient), np.float32)
    table = ctypes.c_void_p * max(len(steps), 1)
    s, y = (table(*(a.ctypes.data for a in arrays)) for arrays in (steps, changes))
    kernel.phasebench_direction(gradient, s, y, len(steps), len(gradient), gradient[0].size, out, slope)
    return out, slope


def lagrangian(
    z: NDArray[np.float32],
    magnitude: NDArray[np.float32],
    multiplier: NDArray[np.float32],
    rho: NDArray[np.float32],
    box: tuple[int, int],
    *,
    nonnegative: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Value (B,) and gradient of the augmented Lagrangian at z, and z − P_M z (B, m1, m2)."""
    kernel = library()
    assert kernel is not None
    projected = project_magnitude(z, magnitude)
    misfit, gradient, value = np.empty_like(z), np.empty_like(z), np.empty(len(z), np.float32)
    kernel.phasebench_lagrangian(z, projected, multiplier, rho, *z.shape, *box, nonnegative, misfit, gradient, value)
    return value, gradient, misfit
