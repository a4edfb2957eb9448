"""The measurement of Fourier phase retrieval, Y = |F X Fᵀ|² (Tayal et al., eq. 1.1)."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from datasets import arrays
from datasets.blocks import map_blocks

_BLOCK = 16  # objects transformed at once: their planes stay in the cache


def determined(extent: tuple[int, int], grid: tuple[int, int]) -> bool:
    """Whether intensities on this grid determine an object of so many rows and columns.

    Below 2n − 1 samples along an axis the autocorrelation aliases, and the forward map is no longer
    generically injective up to its symmetries (section 1 of the paper).
    """
    return all(m >= 2 * n - 1 for n, m in zip(extent, grid, strict=True))


def check_shapes(object_shape: tuple[int, int], grid: tuple[int, int], extent: tuple[int, int] | None = None) -> None:
    """Refuse a grid smaller than the object; warn where the intensities do not determine it.

    Args:
        extent: the rows and columns that the object really takes, where that is known to be less.
    """
    for n, m in zip(object_shape, grid, strict=True):
        if m < n:
            raise ValueError(f"cannot measure {n} samples on a grid of {m}: at least as many are needed")
    extent = extent or object_shape
    if not determined(extent, grid):
        warnings.warn(
            f"grid {grid} is below 2n - 1 = {tuple(2 * n - 1 for n in extent)}: "
            "the intensities do not determine the object",
            stacklevel=3,
        )


def forward(objects: ArrayLike, grid: tuple[int, int], threads: int = 1) -> NDArray[np.float64]:
    """Oversampled Fourier intensities |F X Fᵀ|² with the zero frequency at [..., 0, 0].

    Args:
        objects: real or complex (batch, n1, n2).
        grid: (m1, m2), the number of samples in the Fourier plane.
        threads: blocks of objects transformed side by side.

    Returns:
        float64 (batch, m1, m2), unnormalised: Y[:, 0, 0] = |sum of X|².

    Raises:
        ValueError: these are not images, or the grid is smaller than they are. A grid below 2n − 1 only warns.
    """
    images = arrays.images("objects", "(batch, n1, n2)", objects)
    grid = arrays.shape("grid", grid)
    check_shapes(arrays.shape("the shape of the objects", images.shape[1:]), grid)
    intensities = np.empty((len(images), *grid))

    def one(block: slice) -> None:
        intensities[block] = _forward(images[block], grid)

    map_blocks(one, len(images), _BLOCK, threads)
    return intensities


def _forward(objects: NDArray, grid: tuple[int, int]) -> NDArray[np.float64]:
    """`forward` of a few objects (batch, n1, n2). The rows that the grid adds are zero: they are not transformed."""
    if np.iscomplexobj(objects):
        rows = scipy.fft.fft(objects.astype(np.complex128), n=grid[1], axis=-1)
        return _squared_modulus(scipy.fft.fft(rows, n=grid[0], axis=-2))
    rows = scipy.fft.rfft(objects.astype(np.float64), n=grid[1], axis=-1)
    return expand_half_plane(_squared_modulus(scipy.fft.fft(rows, n=grid[0], axis=-2)), grid[1])


def opposite(y: NDArray) -> NDArray:
    """Y[−k] of planes Y[k] (B, m1, m2)."""
    return np.roll(y[:, ::-1, ::-1], (1, 1), axis=(1, 2))


def friedel_mean(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(Y[k] + Y[−k]) / 2 of planes (B, m1, m2); where one of the two was not measured (NaN), the other one.

    The intensities of a real image satisfy Y[−k] = Y[k] (Friedel's law), so that each of them is measured twice.
    """
    other = opposite(y)
    mean = (y + other) / 2
    return np.where(np.isnan(mean), np.fmax(y, other), mean)


def half_plane(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(Y[k] + Y[−k]) / 2 of whole planes (B, m1, m2), in the columns 0 … m2 // 2: (B, m1, m2 // 2 + 1)."""
    m2 = y.shape[2]
    columns = m2 // 2 + 1
    half = y[:, :, :columns].copy()
    opposite = y[:, ::-1, : m2 - columns : -1]  # rows m1 − 1 … 0 of the columns opposite to 1, 2, …
    half[:, 0, 0] += y[:, 0, 0]
    half[:, 1:, 0] += y[:, :0:-1, 0]
    half[:, 0, 1:] += opposite[:, -1]
    half[:, 1:, 1:] += opposite[:, :-1]
    half /= 2
    return half


def expand_half_plane(half: NDArray, m2: int) -> NDArray:
    """Whole plane (..., m1, m2) of a centrosymmetric array given its columns 0 … m2 // 2.

    The intensities of a real image satisfy Y[-k, -l] = Y[k, l].
    """
    mirrored = half[..., 1 : (m2 + 1) // 2]
    mirrored = np.roll(mirrored[..., ::-1, ::-1], 1, axis=-2)
    return np.concatenate([half, mirrored], axis=-1)


def _squared_modulus(z: NDArray) -> NDArray[np.float64]:
    return z.real**2 + z.imag**2
