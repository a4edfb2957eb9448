"""The unit of a measurement, which no image depends on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from datasets.scaling import exponents, largest_part, times_two_to_the


def normalised(measurement: Measurement) -> tuple[NDArray[np.int32], Measurement]:
    """A valid measurement, of objects with an energy in [1, 4), and the exponent e (B,) of their unit 2ᵉ.

    Powers of two keep an image the same to the last bit whatever the unit of the intensities, and this energy keeps
    squares in the range of float32.
    """
    y = measurement.intensities
    missing = np.isnan(y)
    if missing.any():
        y = np.where(missing, 0, y)
    brightest = exponents(largest_part(y))  # first, or else the mean of very large numbers overflows
    y = times_two_to_the(y, -brightest)
    energy = exponents(y.mean(axis=(1, 2)))  # of the objects, by Parseval
    unit = (brightest + energy - 1) // 2
    scaled = times_two_to_the(y, brightest - 2 * unit)
    if missing.any():
        scaled[missing] = np.nan
    return unit, replace(measurement, intensities=scaled)


def in_units(images: NDArray, unit: NDArray[np.int32]) -> tuple[NDArray, NDArray[np.bool_]]:
    """Images (B, m1, m2) with pixels in units of 2ᵉ (B,), and which of them (B,) are right.

    An image is not right, and is given back as zeros, where it is not finite, and where its precision does not hold it:
    where its largest pixel overflows, or is so small that it has lost digits.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scaled = times_two_to_the(images, unit)
    largest, limits = largest_part(scaled), np.finfo(scaled.dtype)
    held = (largest >= limits.tiny) & (largest <= limits.max)
    right = held | ~images.any(axis=(1, 2))
    return (scaled if right.all() else np.where(right[:, None, None], scaled, 0)), right
