"""How good a reconstruction is, up to the symmetries of the problem (Tayal et al., appendix A.2)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datasets import arrays
from datasets.blocks import map_blocks
from datasets.scaling import exponents, largest_part, times_two_to_the
from solvers import compiled
from solvers.backend import torch_threads

if TYPE_CHECKING:
    import torch

SUCCESS = 1e-2  # adjusted error below which an image counts as recovered
STRICT_SUCCESS = 1e-4

BLOCK = 16  # images scored at once
ORDINARY = 10  # exponents of two up to which fourth powers of images stay well within the range of float32


@dataclass(frozen=True)
class Registration:
    """Where in each reconstruction the truth was found. Arrays of shape (B,).

    Attributes:
        mse: min over position, orientation, phase θ and scale η ≥ 0 of ‖A − η B e^{iθ}‖² / ‖A‖², in [0, 1].
        row, column: corner of the best window B in the reconstruction.
        flipped: the best match is to the conjugate flip of the truth A.
        factor: η e^{iθ}, real for real images; zero where nothing of the truth was found.
    """

    mse: NDArray[np.float64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    flipped: NDArray[np.bool_]
    factor: NDArray

    def take(self, chosen: NDArray[np.int64]) -> Registration:
        """Of these reconstructions alone."""
        return Registration(*(getattr(self, f.name)[chosen] for f in fields(self)))


def adjusted_mse(truth: NDArray, reconstruction: NDArray, *, circular: bool = True) -> NDArray[np.float64]:
    """The paper's error of each reconstruction, unchanged by shift, conjugate flip, global phase and scale.

    Args:
        truth: real or complex (B, n1, n2).
        reconstruction: real or complex (B, m1, m2), m ≥ n.
        circular: a window may wrap around the border, as the measurement does; False scans as A.2 is written.

    Returns:
        float64 (B,), relative to ‖A‖²: the numbers that the paper prints as "MSE" are only possible as relative
        errors, since the zero image has a mean square error of 0.09 per pixel on this data. An all-zero truth has
        the error 0 against zero and 1 against anything else; where either of the two is not finite, the error is 1.

    Raises:
        ValueError: these are not images, or a reconstruction is smaller than the truth.
    """
    return register(truth, reconstruction, circular=circular).mse


def register(truth: NDArray, reconstruction: NDArray, *, circular: bool = True, threads: int = 1) -> Registration:
    """Find the window, orientation and factor that bring a reconstruction nearest to the truth.

    For a window B the optimum of A.3 is ‖A‖² − |⟨A, B⟩|² / ‖B‖² (A.6, whose printed form lacks the square). All
    ⟨A, B⟩ at once are a cross-correlation. All ‖B‖² are products with 0/1 band matrices: sums of nonnegative
    numbers, so that an empty window has no energy instead of a rounding error, which would turn the quotient into
    anything. The winning window is then evaluated in float64 by itself. Real float32 images are searched by the
    compiled kernel where it is built.

    The images are taken in blocks that stay in the cache, `threads` blocks at a time. Both images of a pair are first
    brought to the order of 1 by powers of two: their units have no part in it.
    """
    truth, reconstruction = _floats("truth", truth), _floats("reconstruction", reconstruction)
    batch, n1, n2 = truth.shape
    if len(reconstruction) != batch or min(n1, n2) < 1 or reconstruction.shape[1] < n1 or reconstruction.shape[2] < n2:
        raise ValueError(f"a reconstruction of shape {reconstruction.shape} cannot hold a truth of {truth.shape}")

    def one(block: slice) -> Registration:
        return _register(truth[block], reconstruction[block], circular)

    with contextlib.nullcontext() if _has_kernel(truth, reconstruction) else torch_threads(1):
        found = map_blocks(one, batch, BLOCK, threads)
    return Registration(*(np.concatenate([getattr(part, f.name) for part in found]) for f in fields(Registration)))


def _floats(what: str, images: NDArray) -> NDArray:
    """Images in the precision that they have, if it is one that is computed with; else in double precision."""
    images = arrays.images(what, "(batch, rows, columns)", images)
    if images.dtype in (np.float32, np.float64, np.complex64, np.complex128):
        return images
    return images.astype(np.complex128 if images.dtype.kind == "c" else np.float64)


def _has_kernel(truth: NDArray, reconstruction: NDArray) -> bool:
    """Whether the compiled search does it; torch, which does it otherwise, takes a second to import."""
    return truth.dtype == reconstruction.dtype == np.float32 and compiled.supports(reconstruction.shape[1:])


def _register(truth: NDArray, reconstruction: NDArray, circular: bool) -> Registration:
    a, a_exponent, a_finite = _normalised(truth)
    b, b_exponent, b_finite = _normalised(reconstruction)
    if _has_kernel(a, b):
        found = compiled.search(np.ascontiguousarray(a), np.ascontiguousarray(b), circular)
    else:
        found = _search(a, b, circular)
    match = _evaluate(a, b, a_finite & b_finite, *found)
    with np.errstate(over="ignore"):
        factor = times_two_to_the(match.factor[:, None, None], a_exponent - b_exponent)[:, 0, 0]
    return replace(match, factor=factor)


def _normalised(images: NDArray) -> tuple[NDArray, NDArray[np.int32], NDArray[np.bool_]]:
    """Images over powers of two, the exponents of these, and which images are finite; the others become zeros.

    The largest part of each is in [0.5, 1) then. Images of that order are left as they are: it saves time, and changes
    no bit of the result.
    """
    largest = largest_part(images)
    finite = np.isfinite(largest)
    exponent = exponents(largest)
    exponent[np.abs(exponent) <= ORDINARY] = 0
    usable = images if finite.all() else np.where(finite[:, None, None], images, 0)
    return times_two_to_the(usable, -exponent) if exponent.any() else usable, exponent, finite


def _search(
    truth: NDArray, reconstruction: NDArray, circular: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    upright, turned = (e.reshape(len(truth), -1).numpy() for e in _explained_energy(truth, reconstruction, circular))
    at, at_turned = upright.argmax(1), turned.argmax(1)
    each = np.arange(len(truth))
    flipped = turned[each, at_turned] > upright[each, at]
    row, column = np.divmod(np.where(flipped, at_turned, at), reconstruction.shape[2])
    return row, column, flipped


def _explained_energy(truth: NDArray, reconstruction: NDArray, circular: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """|⟨A, B⟩|² / ‖B‖² for all windows, (B, m1, m2), near zero where there is nothing: for A upright, and flipped."""
    import torch

    n1, n2 = truth.shape[1:]
    m1, m2 = reconstruction.shape[1:]
    b = torch.from_numpy(np.ascontiguousarray(reconstruction))
    a = torch.from_numpy(truth.astype(np.result_type(truth.dtype, reconstruction.dtype)))
    if torch.is_complex(a) or torch.is_complex(b):
        a_hat, b_hat = torch.fft.fft2(a, s=(m1, m2)), torch.fft.fft2(b)
        inverse, square = torch.fft.ifft2, lambda z: z.abs().square_()
        density = b.abs().square()
    else:
        a_hat, b_hat = torch.fft.rfft2(a, s=(m1, m2)), torch.fft.rfft2(b)
        inverse, square = torch.fft.irfft2, lambda z: z.square_()
        density = b.square()
    energy = _band(m1, n1, density.dtype) @ density @ _band(m2, n2, density.dtype).T
    # Below this the correlations are rounding errors of the fuller windows' energy. An empty image has only zeros.
    limits = torch.finfo(density.dtype)
    floor = (limits.eps * density.sum((1, 2), keepdim=True)).clamp_(min=limits.tiny)
    torch.maximum(energy, floor, out=energy)
    if not circular:
        energy[:, m1 - n1 + 1 :] = -1
        energy[:, :, m2 - n2 + 1 :] = -1
    # ⟨flip(A), B⟩ is a convolution of A and B, whose origin lies at the far corner of the window.
    turned = square(inverse(a_hat * b_hat, s=(m1, m2))).roll((1 - n1, 1 - n2), (1, 2)).div_(energy)
    upright = square(inverse(a_hat.conj_physical_().mul_(b_hat), s=(m1, m2))).div_(energy)
    return upright, turned


@cache
def _band(m: int, n: int, dtype: torch.dtype) -> torch.Tensor:
    """(m, m) with ones at (i, i), (i, i + 1), …, (i, i + n − 1), around the end: sums over windows of n."""
    import torch

    offset = (torch.arange(m)[None, :] - torch.arange(m)[:, None]) % m
    return (offset < n).to(dtype)


def _evaluate(
    truth: NDArray,
    reconstruction: NDArray,
    finite: NDArray[np.bool_],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    flipped: NDArray[np.bool_],
) -> Registration:
    batch = len(truth)
    a = truth.astype(np.result_type(truth.dtype, np.float64))
    a[flipped] = np.conj(a[flipped, ::-1, ::-1])
    b = cut(reconstruction, row, column, truth.shape[1:]).astype(np.result_type(reconstruction.dtype, np.float64))
    a, b = a.reshape(batch, -1), b.reshape(batch, -1)
    a_energy, b_energy, inner = np.vecdot(a, a).real, np.vecdot(b, b).real, np.vecdot(b, a)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(b_energy > 0, inner / b_energy, 0)
        # The difference itself, not A.6: near zero the two terms of A.6 cancel.
        difference = factor[:, None] * b
        np.subtract(a, difference, out=difference)
        error = np.vecdot(difference, difference).real / a_energy
    nothing = np.where((b_energy == 0) & finite, 0.0, 1.0)
    mse = np.where(a_energy > 0, np.clip(error, 0, 1), nothing)
    return Registration(np.where(finite, mse, 1.0), row, column, flipped, factor)


def registered(truth: NDArray, reconstruction: NDArray, match: Registration) -> NDArray:
    """The window of each reconstruction (B, m1, m2) that matches the truth (B, n1, n2), turned and scaled to it.

    Of a complex reconstruction of a real truth the real part, since the phase is one of the symmetries. Where an image
    is not finite, so is its picture.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        window = cut(reconstruction, match.row, match.column, truth.shape[1:]) * match.factor[:, None, None]
    turned = np.where(match.flipped[:, None, None], np.conj(window[:, ::-1, ::-1]), window)
    return turned if np.iscomplexobj(truth) else turned.real


def cut(images: NDArray, row: NDArray[np.int64], column: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray:
    """The window of this shape at (row, column) of each image (B, m1, m2), around the border where need be."""
    (n1, n2), (m1, m2) = shape, images.shape[1:]
    windows = np.empty((len(images), n1, n2), images.dtype)
    for window, image, r, c in zip(windows, images, row.tolist(), column.tolist(), strict=True):
        down, right = min(n1, m1 - r), min(n2, m2 - c)  # to the border; most windows end before it
        window[:down, :right] = image[r : r + down, c : c + right]
        if down < n1:
            window[down:, :right] = image[: n1 - down, c : c + right]
        if right < n2:
            window[:down, right:] = image[r : r + down, : n2 - right]
            window[down:, right:] = image[: n1 - down, : n2 - right]
    return windows
