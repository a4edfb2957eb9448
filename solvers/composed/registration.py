"""Reconstructions brought onto each other: each start has a shift, a conjugate flip and a global phase of its own.

Images are (m1, m2) and periodic. Shifts are to a fraction of a pixel where that is better, by phase ramps.
Source of the local search: Guizar-Sicairos, Thurman and Fienup, Opt. Lett. 33, 156 (2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

STEPS = 20  # of a pixel
TRANSFORMS = 4  # of an image, that a distance takes: of both images, and the correlations of both orientations
WORTH_A_LOOK = 0.4  # of the higher of two correlations: one pixel, in the middle of four, has 0.405 of its peak on them


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
    found = _match(a, b)
    if found is None:
        return Registered(image, 1.0, False, (0.0, 0.0))
    flipped, peak, shift = found
    moved = _moved(np.conj(b) if flipped else b, shift)
    back = scipy.fft.ifft2(moved * (peak / abs(peak) if peak else 1))
    real = not (np.iscomplexobj(reference) or np.iscomplexobj(image))
    precision = np.result_type(reference, image)
    return Registered((back.real if real else back).astype(precision), _error(a, b, peak), flipped, shift)


def distance(one: NDArray, other: NDArray) -> float:
    """How far apart two images are at their nearest, as `Registered.error` has it: 1 if one of them is zero."""
    a, b = scipy.fft.fft2(one), scipy.fft.fft2(other)
    found = _match(a, b)
    return 1.0 if found is None else _error(a, b, found[1])


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


def _match(a: NDArray, b: NDArray) -> tuple[bool, complex, tuple[float, float]] | None:
    """Of two transforms: whether the second image is flipped, the largest correlation then, and the shift for it.

    None where an image is zero.
    """
    if not (a.any() and b.any()):
        return None
    products = [a * np.conj(one) for one in (b, np.conj(b))]  # conj(F b) is the transform of the flipped image
    whole = [_on_a_pixel(product) for product in products]
    highest = max(abs(peak) for peak, _ in whole)
    near = [
        _near(product, *found) if abs(found[0]) >= WORTH_A_LOOK * highest else found
        for product, found in zip(products, whole, strict=True)
    ]
    flipped = bool(abs(near[1][0]) > abs(near[0][0]))
    return flipped, *near[flipped]


def _error(a: NDArray, b: NDArray, peak: complex) -> float:
    energy = float(np.linalg.norm(a) * np.linalg.norm(b))
    return min(max(1 - (abs(peak) / energy) ** 2, 0.0), 1.0)


def _on_a_pixel(product: NDArray) -> tuple[complex, tuple[float, float]]:
    """The largest correlation of two images, by the product of their transforms, and at which shift it is."""
    correlation = scipy.fft.ifft2(product)
    place = np.unravel_index(int(np.abs(correlation).argmax()), product.shape)
    first, second = (float(n - m if 2 * n > m else n) for n, m in zip(place, product.shape, strict=True))
    return complex(correlation[place]) * product.size, (first, second)


def _near(product: NDArray, peak: complex, shift: tuple[float, float]) -> tuple[complex, tuple[float, float]]:
    """The same to a part of a pixel, where that is larger."""
    rows, columns = (_waves(m) * _ramp(m, n) for m, n in zip(product.shape, shift, strict=True))
    around = rows @ product @ columns.T
    best = np.unravel_index(int(np.abs(around).argmax()), around.shape)
    if abs(around[best]) <= abs(peak) * (1 + 1e-6):
        return peak, shift
    first, second = (n + (k - STEPS) / STEPS for n, k in zip(shift, best, strict=True))
    return complex(around[best]), (first, second)


def _moved(z: NDArray, shift: tuple[float, float]) -> NDArray:
    """The transform of an image that is moved by so many rows and columns."""
    first, second = (np.conj(_ramp(m, n)) for m, n in zip(z.shape, shift, strict=True))
    return z * first[:, None] * second


def _ramp(m: int, shift: float) -> NDArray[np.complex128]:
    """(m,) e^{2πi k s / m} for the frequencies k, from −m/2 on, in the order of a transform."""
    return np.exp(2j * np.pi * shift * scipy.fft.fftfreq(m))


@cache
def _waves(m: int) -> NDArray[np.complex128]:
    """(S, m) those of all shifts by a part of a pixel, to one pixel on either side."""
    return np.stack([_ramp(m, step / STEPS) for step in range(-STEPS, STEPS + 1)])
