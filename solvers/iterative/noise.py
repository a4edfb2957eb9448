"""How strong the noise of a measurement is, told from the measurement itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def photon(intensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) the intensity that one photon stands for; 0 where there is no noise. Of real objects (B, m1, m2).

    A real object's intensities at k and −k have one mean and are counted apart. Given their sum, Poisson counts with a
    photon's intensity u have E (Y[k] − Y[−k])² / (Y[k] + Y[−k]) = u, whatever the mean is. Frequencies that are their
    own negatives say nothing, and neither do those of which one was not measured (NaN) or no photon was seen.
    """
    m1, m2 = intensities.shape[1:]
    mirrored = np.roll(intensities[:, ::-1, ::-1], (1, 1), axis=(1, 2))
    alone = np.logical_and.outer(2 * np.arange(m1) % m1 == 0, 2 * np.arange(m2) % m2 == 0)
    both = np.where(alone, 0, intensities + mirrored)
    says = both > 0
    each = np.square(np.where(says, intensities - mirrored, 0)) / np.where(says, both, 1)
    return each.sum(axis=(1, 2)) / np.maximum(says.sum(axis=(1, 2)), 1)


def trusted(intensities: NDArray[np.float64], photons: float) -> NDArray[np.float64]:
    """Weights c / (c + photons) of intensities (B, m1, m2) of c photons each; 1 where there is no noise."""
    u = photons * photon(intensities)[:, None, None]
    y = np.nan_to_num((intensities + np.roll(intensities[:, ::-1, ::-1], (1, 1), axis=(1, 2))) / 2)
    return np.where(u > 0, y / np.where(u > 0, y + u, 1), 1)
