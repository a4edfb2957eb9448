"""Reconstructions brought onto each other: each start has a shift, a conjugate flip and a global phase of its own.

Images are (m1, m2) and periodic. Shifts are to a fraction of a pixel where that is better, by phase ramps.
Source of the local search: Guizar-Sicairos, Thurman and Fienup, Opt. Lett. 33, 156 (2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

STEPS = 20  # of a pixel


@dataclass(frozen=True)
class Registered:
    """An image brought onto a reference.

    Attributes:
        image: real where both are.
        error: 1 − |⟨a, b⟩|² / ‖a‖² ‖b‖², the relative error that no factor removes, from 0 to 1.
        flipped: it was turned by 180 degrees and conjugated.
        shift: rows and columns by which it was moved after that.
    """

    image: NDArray
    error: float
    flipped: bool
    shift: tuple[float, float]


def register(reference: NDArray, image: NDArray) -> Registered:
    """Bring an image onto a reference as nearly as shift, conjugate flip and global phase can."""
    a, b = scipy.fft.fft2(reference), scipy.fft.fft2(image)
    energy = float(np.linalg.norm(a) * np.linalg.norm(b))
    if not energy:
        return Registered(image, 1.0, False, (0.0, 0.0))
    candidates = [_shifted(a, one) for one in (b, np.conj(b))]  # conj(F b) is the transform of the flipped image
    flipped = abs(candidates[1][0]) > abs(candidates[0][0])
    peak, shift, moved = candidates[flipped]
    found = scipy.fft.ifft2(moved * (peak / abs(peak) if peak else 1))
    real = not (np.iscomplexobj(reference) or np.iscomplexobj(image))
    precision = np.result_type(reference, image)
    error = min(max(1 - (abs(peak) / energy) ** 2, 0.0), 1.0)
    return Registered((found.real if real else found).astype(precision), error, bool(flipped), shift)


def centred(image: NDArray) -> tuple[int, int]:
    """By how many rows and columns an image is to be rolled to have its centre of mass in the middle of the grid.

    The centre of mass of a periodic density is that of its first harmonic along each axis.
    """
    density = np.abs(image) ** 2
    moves = []
    for axis, m in enumerate(density.shape):
        profile = density.sum(axis=1 - axis)
        angle = np.angle(np.sum(profile * np.exp(2j * np.pi * np.arange(m) / m)))
        moves.append(round(float(m / 2 - angle * m / (2 * np.pi))) % m)
    return moves[0], moves[1]


def _shifted(a: NDArray, b: NDArray) -> tuple[complex, tuple[float, float], NDArray]:
    """The largest correlation of a with b moved, by how much, and the transform of b that was moved so."""
    product = a * np.conj(b)
    correlation = scipy.fft.ifft2(product)
    place = np.unravel_index(int(np.abs(correlation).argmax()), a.shape)
    peak = complex(correlation[place]) * a.size
    whole = tuple(float(n - m if 2 * n > m else n) for n, m in zip(place, a.shape, strict=True))
    near = np.arange(-STEPS, STEPS + 1) / STEPS
    rows, columns = (_waves(m, n + near) for m, n in zip(a.shape, whole, strict=True))
    around = rows @ product @ columns.T
    best = np.unravel_index(int(np.abs(around).argmax()), around.shape)
    shift = whole
    if abs(around[best]) > abs(peak) * (1 + 1e-6):
        peak = complex(around[best])
        shift = (whole[0] + near[best[0]], whole[1] + near[best[1]])
    ramps = (np.conj(_waves(m, np.array([n]))[0]) for m, n in zip(a.shape, shift, strict=True))
    first, second = ramps
    return peak, (float(shift[0]), float(shift[1])), b * first[:, None] * second[None, :]


def _waves(m: int, shifts: NDArray[np.float64]) -> NDArray[np.complex128]:
    """(S, m) e^{2πi k s / m} for each shift s and frequency k from −m/2 on."""
    return np.exp(2j * np.pi * np.outer(shifts, scipy.fft.fftfreq(m)))
