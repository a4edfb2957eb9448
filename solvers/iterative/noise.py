"""How far a measured magnitude is to be trusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets.photons import one_photon


def trusted(intensities: NDArray[np.float64], photons: float) -> NDArray[np.float64]:
    """Weights c / (c + photons) of intensities (B, m1, m2) of c photons each; 1 where there is no noise."""
    u = photons * one_photon(intensities)[:, None, None]
    y = np.nan_to_num((intensities + np.roll(intensities[:, ::-1, ::-1], (1, 1), axis=(1, 2))) / 2)
    return np.where(u > 0, y / np.where(u > 0, y + u, 1), 1)
