"""Phase retrieval written out literally, slowly and in float64: what the tests compare with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fourier_matrix(m: int, n: int) -> NDArray:
    """The first n columns of the Fourier matrix F (m, m)."""
    return np.exp(-2j * np.pi * np.outer(np.arange(m), np.arange(n)) / m)


def literal_intensities(x: NDArray, grid: tuple[int, int]) -> NDArray:
    """|F X Fᵀ|² by matrix products, for one image."""
    n1, n2 = x.shape
    return np.abs(fourier_matrix(grid[0], n1) @ x @ fourier_matrix(grid[1], n2).T) ** 2


def conjugate_flip(x: NDArray) -> NDArray:
    """Every image of (…, n1, n2) turned by 180 degrees and conjugated."""
    return np.conj(x[..., ::-1, ::-1])


def embed(x: NDArray, grid: tuple[int, int], corner: tuple[int, int] = (0, 0)) -> NDArray:
    """Images (B, n1, n2) on a periodic grid (B, m1, m2) of zeros, their first pixel at the corner."""
    frame = np.zeros((len(x), *grid), dtype=x.dtype)
    frame[:, : x.shape[1], : x.shape[2]] = x
    return np.roll(frame, corner, axis=(1, 2))


def best_fit_error(a: NDArray, b: NDArray) -> float:
    """min over complex c of ‖a − c b‖² by least squares (A.3: c = η e^{iθ})."""
    a, b = a.ravel().astype(complex), b.ravel().astype(complex)
    c = np.linalg.lstsq(b[:, None], a, rcond=None)[0]
    return float(np.sum(np.abs(a - c * b) ** 2))


def literal_scan(truth: NDArray, reconstruction: NDArray, *, circular: bool = True) -> float:
    """Appendix A.2 for one image, position by position, relative to ‖A‖²."""
    (n1, n2), (m1, m2) = truth.shape, reconstruction.shape
    rows, columns = (m1, m2) if circular else (m1 - n1 + 1, m2 - n2 + 1)
    smallest = np.inf
    for a in (truth, conjugate_flip(truth)):
        for r in range(rows):
            for c in range(columns):
                window = reconstruction[np.ix_((r + np.arange(n1)) % m1, (c + np.arange(n2)) % m2)]
                smallest = min(smallest, best_fit_error(a, window))
    return smallest / float(np.sum(np.abs(truth.astype(complex)) ** 2))


def project_magnitude(x: NDArray, intensities: NDArray) -> NDArray:
    """F⁻¹(√Y ⊙ Fx / |Fx|) with full complex transforms."""
    z = np.fft.fft2(x)
    return np.fft.ifft2(np.sqrt(intensities) * z / np.abs(z))


def project_object(x: NDArray, object_shape: tuple[int, int], *, nonnegative: bool) -> NDArray:
    """Zero outside the box [0, n1) × [0, n2); negative pixels set to zero where asked."""
    inside = np.zeros(x.shape, dtype=bool)
    inside[:, : object_shape[0], : object_shape[1]] = True
    x = np.where(inside, x, 0)
    return np.maximum(x.real, 0) if nonnegative else x


def residual(x: NDArray, intensities: NDArray) -> NDArray:
    """‖|Fx| − √Y‖ / ‖√Y‖ over the whole plane."""
    root = np.sqrt(intensities)
    return np.linalg.norm(np.abs(np.fft.fft2(x)) - root, axis=(1, 2)) / np.linalg.norm(root, axis=(1, 2))
