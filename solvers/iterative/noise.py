"""What the noise of a pattern means for its magnitudes and for images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets.forward import friedel_mean
from datasets.photons import one_photon


def trusted(intensities: NDArray[np.float64], photons: float) -> NDArray[np.float64]:
    """Weights c / (c + photons) of intensities (B, m1, m2) of c photons each, of real objects; 1 without noise.

    With noise they are 0 where nothing was measured, neither at k nor at −k.
    """
    u = photons * one_photon(intensities)[:, None, None]
    y = np.nan_to_num(friedel_mean(intensities))
    return np.where(u > 0, y / np.where(u > 0, y + u, 1), 1)


def pixel_variance(intensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The variance (B,) that Poisson noise gives each pixel of P_M x, in squared units of the image; 0 without noise.

    For whole patterns (B, m1, m2) of real objects: a magnitude √y has the variance ¼ photon, and ⅛ because such a
    pattern has it twice. Over m1 m2, that is the variance of a pixel.
    """
    return one_photon(intensities) / (8 * np.prod(intensities.shape[1:]))
