"""Powers of two, by which floating-point numbers are scaled without rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def exponents(largest: ArrayLike) -> NDArray[np.int32]:
    """The smallest e with |largest| < 2ᵉ, of each number; 0 for zero and where a number is not finite."""
    largest = np.asarray(largest)
    return np.frexp(np.where(np.isfinite(largest), largest, 0))[1]


def times_two_to_the(values: NDArray, exponent: ArrayLike) -> NDArray:
    """Values · 2ᵉ in their own precision, even where 2ᵉ is out of its range, as long as √2ᵉ is not.

    Args:
        values: real or complex floats (…, m1, m2).
        exponent: one for all, or one for each image (…).
    """
    exponent = np.asarray(exponent)[..., None, None]
    one = values.real.dtype.type(1)
    if np.abs(exponent).max(initial=0) < np.finfo(one).maxexp - 2:
        return values * np.ldexp(one, exponent)
    scaled = values * np.ldexp(one, exponent // 2)
    scaled *= np.ldexp(one, exponent - exponent // 2)
    return scaled


def largest_part(images: NDArray) -> NDArray:
    """(B,) the largest absolute value of the real and imaginary parts of images (B, m1, m2); NaN where there is one."""
    if np.iscomplexobj(images):
        return np.maximum(largest_part(images.real), largest_part(images.imag))
    return np.maximum(images.max(axis=(1, 2), initial=0), -images.min(axis=(1, 2), initial=0))
