"""The unit of a measurement, which no image depends on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement


def normalised(measurement: Measurement) -> tuple[NDArray[np.float64], Measurement]:
    """A measurement of objects with an energy in [1, 4), and the unit (B,) that their pixels then have.

    It is a power of two: an image is the same to the last bit whatever the unit of the intensities, and their squares
    stay in the range of float32.
    """
    y = measurement.intensities
    _, exponent = np.frexp(y.mean(axis=(1, 2)))  # of the energy, by Parseval
    unit = np.ldexp(1.0, np.clip((exponent - 1) // 2, -500, 500))
    return unit, replace(measurement, intensities=y * (unit**-2)[:, None, None])


def in_units(images: NDArray, unit: NDArray[np.float64]) -> NDArray:
    """Images (B, m1, m2) with pixels in these units (B,), not finite where their precision does not hold them."""
    with np.errstate(over="ignore", invalid="ignore"):
        return images * unit.astype(images.real.dtype)[:, None, None]
