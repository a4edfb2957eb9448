"""The compiled kernels: iterations of a map or of ALM on a block of images, and the search of the score.

They serve real and complex images in float32 on the CPU, on grids whose lengths have no prime factor above 13.
Everything else goes the portable way, whose functions are the reference that the kernels are tested against. Setting
PHASEBENCH_KERNELS=portable leaves them out.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sysconfig
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from solvers.errors import UnavailableError

MAPS = ("er", "hio", "raar", "difference_map", "rrr")  # in the order of the kernel's enumeration
VARIABLE = "PHASEBENCH_KERNELS"
CHOICES = ("portable", "cufft")  # cufft is for the kernels of a GPU

SCALARS, SPECTRA = 4, 3  # of a state of ALM, in lagrangian.cpp
UNMEASURED = -1.0  # in place of the magnitude of a coefficient that was not measured
WIDTHS = (16, 8, 4)  # numbers in a register, in the names of the libraries: AVX-512, AVX2, any processor
INTERFACE = 5  # of the shared library: what projection.cpp says of the one that fits these structures

log = logging.getLogger(__name__)

# Images (B, m1, m2): float32 where they are real, else complex64.
Images = NDArray[np.float32] | NDArray[np.complex64]

# Of B images whose start has ended: int64 (B,) iterations done, (B, m1, m2) the estimate with the smallest residual of
# those looked at, and that residual (B,). Zeros and infinite where it never was finite.
Found = tuple[NDArray[np.int64], Images, NDArray[np.float32]]

_INT = ctypes.c_int


class _Constraints(ctypes.Structure):
    """`Constraints` of constraints.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("magnitude", "support")),
        *((name, _INT) for name in ("batch", "m1", "m2", "n1", "n2", "complex", "nonnegative", "pixels")),
    )


class _ProjectionProblem(ctypes.Structure):
    """`ProjectionProblem` of projection.cpp."""

    _fields_ = (("constraints", _Constraints), ("map", _INT), ("beta", ctypes.c_float))


class _AlmProblem(ctypes.Structure):
    """`AlmProblem` of lagrangian.cpp."""

    _fields_ = (
        ("constraints", _Constraints),
        *((name, _INT) for name in ("memory", "inner", "fixed")),
        *((name, ctypes.c_float) for name in ("rho", "shrink", "growth", "rho_max", "armijo")),
        ("backtracks", _INT),
    )


class _AlmState(ctypes.Structure):
    """`AlmState` of lagrangian.cpp."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("evaluations", "scalars", "spectra"))


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


def libraries() -> tuple[Path, ...]:
    """The files of the kernels: one for each width of registers, the widest first, as far as they were built."""
    return tuple(file for lanes in WIDTHS if (file := _file(lanes)).is_file())


def _file(lanes: int) -> Path:
    """Where an installation by this Python puts a library."""
    return Path(__file__).with_name(f"_lanes{lanes}{sysconfig.get_config_var('EXT_SUFFIX')}")


@cache
def kernels() -> ctypes.CDLL | None:
    """The shared library for the registers of this processor; None where none was built or is not wanted.

    Raises:
        UnavailableError: the environment asks for other kernels than there are.
    """
    wanted = os.environ.get(VARIABLE) or None
    if wanted is not None and wanted not in CHOICES:
        raise UnavailableError(f"{VARIABLE}='{wanted}': choose {' or '.join(CHOICES)}, or leave it unset")
    if wanted == "portable":
        return None
    anywhere = load(WIDTHS[-1])
    if anywhere is None:
        return None
    widest = anywhere.phasebench_widest()
    return next(found for lanes in WIDTHS if lanes <= widest and (found := load(lanes)) is not None)


def load(lanes: int) -> ctypes.CDLL | None:
    """The library for registers of so many numbers; None where it was not built, or of another source.

    A processor without such registers must not call it.
    """
    file = _file(lanes)
    if not file.is_file():
        return None
    try:
        kernel = ctypes.CDLL(str(file))
        if (kernel.phasebench_interface(), kernel.phasebench_lanes()) == (INTERFACE, lanes):
            return _with_types(kernel)
    except (OSError, AttributeError):  # of another system, or another source
        pass
    log.warning("%s is of another version, and is not used: install phasebench again", file)
    return None


def _with_types(kernel: ctypes.CDLL) -> ctypes.CDLL:
    kernel.phasebench_supports.argtypes = [_INT]
    pointer = ctypes.c_void_p
    kernel.phasebench_project.argtypes = [ctypes.POINTER(_ProjectionProblem), pointer, _INT]
    kernel.phasebench_pursue.argtypes = [ctypes.POINTER(_ProjectionProblem), ctypes.POINTER(_Pursuit), pointer]
    kernel.phasebench_residual.argtypes = [ctypes.POINTER(_Constraints), pointer, pointer]
    alm = ctypes.POINTER(_AlmProblem), ctypes.POINTER(_AlmState)
    kernel.phasebench_spectrum_numbers.argtypes = [ctypes.POINTER(_Constraints)]
    kernel.phasebench_begin_lagrangian.argtypes = [*alm, pointer]
    kernel.phasebench_lagrangian.argtypes = [*alm, _INT]
    kernel.phasebench_image_of_lagrangian.argtypes = [*alm, pointer]
    kernel.phasebench_pursue_lagrangian.argtypes = [*alm, ctypes.POINTER(_Pursuit)]
    kernel.phasebench_search.argtypes = [ctypes.POINTER(_SearchProblem)]
    return kernel


@cache
def supports(grid: tuple[int, int]) -> bool:
    """Whether the kernels are here and transform images of this size: products of 2, 3, 4, 5, 7, 11 and 13."""
    kernel = kernels()
    if kernel is None:
        return False
    if all(kernel.phasebench_supports(m) for m in grid):
        return True
    fast = tuple(_nearest(kernel, m) for m in grid)
    log.warning(
        "images of %d×%d take portable code, several times slower: a length is 1, or has a prime factor above 13; "
        "the nearest fast size is %d×%d",
        *(*grid, *fast),
    )
    return False


def _nearest(kernel: ctypes.CDLL, m: int) -> int:
    """The length nearest to m that the kernels transform, the longer one of two."""
    lengths = (m + sign * distance for distance in range(m + 2) for sign in (1, -1))
    return next(length for length in lengths if kernel.phasebench_supports(length))


class Constraints:
    """What is known of B images (B, m1, m2)."""

    def __init__(
        self,
        magnitude: NDArray[np.float32],
        grid: tuple[int, int],
        support: tuple[int, int] | NDArray[np.bool_],
        *,
        real: bool,
        nonnegative: bool,
        pixels: int | None = None,
    ) -> None:
        """For images of this grid.

        Args:
            magnitude: (B, m1, m2 // 2 + 1) of real images, else (B, m1, m2); UNMEASURED where it was not measured.
            support: (B, m1, m2), or (n1, n2) for the box [0, n1) × [0, n2).
            pixels: at most so many of the support differ from zero; `Lagrangian` does not know of that.
        """
        assert real or not nonnegative
        assert magnitude.shape[1:] == (grid[0], grid[1] // 2 + 1 if real else grid[1])
        _check(magnitude, dtype=np.float32)
        box, pointer = grid, None
        if isinstance(support, tuple):
            box = support
        else:
            assert support.shape == (len(magnitude), *grid)
            _check(support, dtype=np.bool_)
            pointer = support.ctypes.data
        self.shape = (len(magnitude), *grid)
        self.dtype: np.dtype = np.dtype(np.float32 if real else np.complex64)
        self._arrays = magnitude, support  # they must outlive the pointers
        known = (not real, nonnegative, pixels or 0)
        self.structure = _Constraints(magnitude.ctypes.data, pointer, *self.shape, *box, *known)

    def check(self, *images: Images) -> None:
        """That these are such images, as the kernels need them."""
        assert all(x.shape == self.shape for x in images)
        _check(*images, dtype=self.dtype)


class Projection:
    """A map on B images. Both methods take these (B, m1, m2) and leave the new iterates in them."""

    def __init__(self, name: str, constraints: Constraints, beta: float) -> None:
        """The map `name` of MAPS with relaxation β."""
        self._constraints = constraints
        self._problem = _ProjectionProblem(constraints.structure, MAPS.index(name), beta)

    def iterate(self, x: Images, count: int) -> None:
        """`count` iterations."""
        self._constraints.check(x)
        _call("phasebench_project", self._problem, x.ctypes.data, count)

    def pursue(self, x: Images, limit: NDArray[np.int64], every: int, tolerance: float) -> Found:
        """Iterations up to an image's limit (B,), or until a look at its residual ends them: one within the tolerance,
        or the first if it is not finite."""
        self._constraints.check(x)
        call = lambda pursuit: _call("phasebench_pursue", self._problem, pursuit, x.ctypes.data)  # noqa: E731
        return _pursue(self._constraints, limit, every, tolerance, call)


class LagrangianState(NamedTuple):
    """Of B images: float32 arrays that the kernel alone understands, but for the first."""

    evaluations: NDArray[np.float32]  # (B,) transform pairs spent
    scalars: NDArray[np.float32]  # (B, SCALARS)
    spectra: NDArray[np.float32]  # (B, SPECTRA + 2 memory, numbers of a spectrum)


class Lagrangian:
    """ALM on B images."""

    def __init__(self, constraints: Constraints, memory: int, parameters: Mapping[str, float]) -> None:
        """With so many curvature pairs.

        Args:
            parameters: inner, rho, shrink, growth, rho_max, armijo, backtracks; and fixed, whether the support is the
                same in all calls for these images.
        """
        self._constraints = constraints
        self._problem = _AlmProblem(constraints.structure, memory, **parameters)

    def begin(self, images: Images) -> LagrangianState:
        """The state that begins with these images (B, m1, m2)."""
        kernel = kernels()
        assert kernel is not None
        self._constraints.check(images)
        batch, numbers = len(images), kernel.phasebench_spectrum_numbers(self._constraints.structure)
        shapes = (batch,), (batch, SCALARS), (batch, SPECTRA + 2 * self._problem.memory, numbers)
        state = LagrangianState(*(np.empty(shape, np.float32) for shape in shapes))
        _call("phasebench_begin_lagrangian", self._problem, self._pointers(state), images.ctypes.data)
        return state

    def iterate(self, state: LagrangianState, count: int) -> None:
        """`count` iterations, which change the state in place."""
        _call("phasebench_lagrangian", self._problem, self._pointers(state), count)

    def images(self, state: LagrangianState) -> Images:
        """Those that a state stands for."""
        images = np.empty(self._constraints.shape, self._constraints.dtype)
        _call("phasebench_image_of_lagrangian", self._problem, self._pointers(state), images.ctypes.data)
        return images

    def pursue(self, state: LagrangianState, limit: NDArray[np.int64], every: int, tolerance: float) -> Found:
        """As that of `Projection`."""
        call = partial(_call, "phasebench_pursue_lagrangian", self._problem, self._pointers(state))
        return _pursue(self._constraints, limit, every, tolerance, call)

    def _pointers(self, state: LagrangianState) -> _AlmState:
        _check(*state, dtype=np.float32)
        assert all(len(array) == self._constraints.shape[0] for array in state)
        return _AlmState(*(array.ctypes.data for array in state))


def residual(x: Images, constraints: Constraints) -> NDArray[np.float32]:
    """(B,) ‖|Fx| − √Y‖ / ‖√Y‖ of images x (B, m1, m2), over what was measured of the whole plane."""
    constraints.check(x)
    out = np.empty(len(x), np.float32)
    _call("phasebench_residual", constraints.structure, x.ctypes.data, out.ctypes.data)
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
    _check(truth, reconstruction, dtype=np.float32)
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
    constraints: Constraints,
    limit: NDArray[np.int64],
    every: int,
    tolerance: float,
    call: Callable[[_Pursuit], None],
) -> Found:
    """What a kernel's entry, called with a `Pursuit` of images with these constraints, writes into it."""
    batch = constraints.shape[0]
    most = limit.astype(np.int32)
    age, estimate = np.zeros(batch, np.int32), np.zeros(constraints.shape, constraints.dtype)
    residual = np.full(batch, np.inf, np.float32)
    results = (a.ctypes.data for a in (age, residual, estimate))
    call(_Pursuit(most.ctypes.data, every, tolerance, *results))
    return age.astype(np.int64), estimate, residual


def _check(*arrays: NDArray, dtype: DTypeLike) -> None:
    assert all(a.dtype == dtype and a.flags.c_contiguous for a in arrays)


def _call(entry: str, *arguments: object) -> None:
    kernel = kernels()
    assert kernel is not None
    if getattr(kernel, entry)(*arguments):
        raise MemoryError("no memory for an image")
