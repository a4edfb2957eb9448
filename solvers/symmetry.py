"""Symmetry breaking for Fourier phase retrieval (Tayal et al., section 2 and Theorem 2.1).

Shifted, conjugate-flipped and phase-turned copies of an object have the same intensities. Each such class is given
one representative, its *canonical form*:

1. the centre of the nonzero content lies at the origin of the Fourier transform (a phase ramp, so half pixels are
   exact). Without this step the flip rule below reads the position of the object and not its shape;
2. a global phase makes Ω(1,1) = 1, where Ω = F/|F| are the phases of the spectrum F;
3. the spectrum is conjugated (the object flipped) if a deciding phase lies in the lower half circle.

What is left lies in the paper's set R (eq. 2.1), with the paper's deciding index Ω(1,2) or another one. For images
of upright things Ω(2,1) is the better conditioned: a vertical asymmetry is larger than a horizontal one.

*The negligible set.* If the deciding coefficient is real up to rounding, the first coefficient in row-major order
that is not decides in its place; if all are real, the object is its own flip and there is nothing to decide.

Everything here is a pure function on NumPy arrays; objects are (batch, n1, n2), real or complex.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Centring = Literal["box", "centroid"]
Index = tuple[int, int]  # zero-based frequency

PAPER_INDEX: Index = (0, 1)  # the paper's Ω(1,2)
VERTICAL_INDEX: Index = (1, 0)  # Ω(2,1)

# Rounding leaves a coefficient of a symmetric object about 1e-16 ‖X‖₁ away from the real axis.
NEGLIGIBLE = 1e-11


def centre(objects: NDArray, centring: Centring = "box") -> NDArray[np.float64]:
    """Centre (batch, 2) of the nonzero content, in pixels from the corner; that of the frame for an empty object.

    `box` is the middle of the bounding box, a multiple of half a pixel. `centroid` is the centre of mass of |X|
    rounded to a pixel, the integer centring that commutes with flips (a rounded bounding box does not: a box of even
    extent has its middle between two pixels, and the flip rounds it the other way).
    """
    if centring == "box":
        first, last = content_box(objects)
        return (first + last) / 2
    mass = np.abs(objects)
    total = mass.sum(axis=(1, 2))
    middle = (np.asarray(objects.shape[1:]) - 1) / 2
    moments = np.stack(
        [mass.sum(axis=2) @ np.arange(mass.shape[1]), mass.sum(axis=1) @ np.arange(mass.shape[2])], axis=1
    )
    mean = np.divide(moments, total[:, None], out=np.tile(middle, (len(objects), 1)), where=total[:, None] > 0)
    return np.rint(mean)


def content_box(objects: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last row and column of the nonzero content: two arrays (batch, 2). An empty object fills its frame."""
    filled = objects != 0
    filled |= ~filled.any(axis=(1, 2), keepdims=True)
    rows, columns = filled.any(axis=2), filled.any(axis=1)
    first = np.stack([rows.argmax(axis=1), columns.argmax(axis=1)], axis=1)
    last = (
        np.asarray(objects.shape[1:]) - 1 - np.stack([rows[:, ::-1].argmax(axis=1), columns[:, ::-1].argmax(axis=1)], 1)
    )
    return first, last


def centred_spectrum(objects: NDArray, grid: tuple[int, int], centring: Centring = "box") -> NDArray[np.complex128]:
    """Oversampled Fourier transform (batch, m1, m2) with the centre of the content moved to the origin.

    The ramp uses signed frequencies. At the Nyquist frequency of an even grid the two signs differ for half pixels,
    and the negative one is taken.
    """
    m1, m2 = grid
    c = centre(objects, centring)
    rows = np.exp(2j * np.pi * c[:, :1] * np.fft.fftfreq(m1))
    columns = np.exp(2j * np.pi * c[:, 1:] * np.fft.fftfreq(m2))
    spectrum = scipy.fft.fft2(objects.astype(np.complex128), s=grid)
    return spectrum * rows[:, :, None] * columns[:, None, :]


def transfer_phase(spectrum: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The same spectrum (batch, …) times a global phase that makes its first coefficient nonnegative: Ω(1,1) = 1.

    A first coefficient of zero has no phase, and the spectrum is left as it is.
    """
    first = spectrum.reshape(len(spectrum), -1)[:, 0]
    turn = np.conj(unit(first))
    return spectrum * turn.reshape(-1, *[1] * (spectrum.ndim - 1))


def unit(z: NDArray) -> NDArray[np.complex128]:
    """z / |z|, and 1 where z = 0."""
    size = np.abs(z)
    return np.where(size > 0, z / np.where(size > 0, size, 1), 1.0)


def in_lower_half(
    objects: NDArray, grid: tuple[int, int], *, deciding: Index = VERTICAL_INDEX, centring: Centring = "box"
) -> NDArray[np.bool_]:
    """(batch,) True where the deciding phase of the centred spectrum lies in the lower half circle: a flip is due."""
    if deciding == (0, 0):
        raise ValueError("Ω(1,1) is 1 after the global phase transfer and cannot decide the flip")
    c = centre(objects, centring)
    coefficient = transfer_phase(np.stack([_at((0, 0), objects, grid, c), _at(deciding, objects, grid, c)], axis=1))[
        :, 1
    ]
    threshold = NEGLIGIBLE * np.abs(objects).sum(axis=(1, 2))
    lower = coefficient.imag < 0
    for i in np.flatnonzero(np.abs(coefficient.imag) <= threshold):
        spectrum = transfer_phase(centred_spectrum(objects[i : i + 1], grid, centring))
        telling = spectrum.imag[np.abs(spectrum.imag) > threshold[i]]
        lower[i] = telling.size > 0 and telling[0] < 0
    return lower


def orient(
    objects: NDArray, grid: tuple[int, int], *, deciding: Index = VERTICAL_INDEX, centring: Centring = "box"
) -> NDArray:
    """The objects, conjugate-flipped within their frame where the rule asks for it."""
    lower = in_lower_half(objects, grid, deciding=deciding, centring=centring)
    return np.where(lower[:, None, None], np.conj(objects[:, ::-1, ::-1]), objects)


def recentre(objects: NDArray, frame: tuple[int, int], centring: Centring = "box") -> NDArray:
    """The contents in frames (batch, *frame), whole pixels moved: the centre, rounded up, at (h // 2, w // 2).

    Raises:
        ValueError: some content does not fit.
    """
    first, last = content_box(objects)
    corner = np.asarray(frame) // 2 - np.floor(centre(objects, centring) + 0.5).astype(np.int64) + first
    size = last - first + 1
    if np.any(corner < 0) or np.any(corner + size > frame):
        raise ValueError(f"content of up to {tuple(size.max(axis=0).tolist())} does not fit into a frame of {frame}")
    moved = np.zeros((len(objects), *frame), dtype=objects.dtype)
    for target, source, to, start, extent in zip(moved, objects, corner, first, size, strict=True):
        target[_window(to, extent)] = source[_window(start, extent)]
    return moved


def _window(start: NDArray[np.int64], extent: NDArray[np.int64]) -> tuple[slice, ...]:
    return tuple(_slices(start, extent))


def _slices(start: NDArray[np.int64], extent: NDArray[np.int64]) -> Iterator[slice]:
    for a, n in zip(start.tolist(), extent.tolist(), strict=True):
        yield slice(a, a + n)


def _at(index: Index, objects: NDArray, grid: tuple[int, int], c: NDArray[np.float64]) -> NDArray[np.complex128]:
    """One coefficient (batch,) of the spectrum centred at c, by its definition: cheaper than a transform."""
    (rows, columns), (m1, m2) = objects.shape[1:], grid
    k1, k2 = np.fft.fftfreq(m1)[index[0]], np.fft.fftfreq(m2)[index[1]]
    column_sums = objects @ np.exp(-2j * np.pi * k2 * np.arange(columns))
    total = column_sums @ np.exp(-2j * np.pi * k1 * np.arange(rows))
    return total * np.exp(2j * np.pi * (k1 * c[:, 0] + k2 * c[:, 1]))
