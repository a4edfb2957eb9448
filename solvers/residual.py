"""The magnitude residual by its definition: for methods that do not measure it, and for whoever checks a solver."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from datasets.forward import friedel_mean


def magnitude_residual(images: NDArray, intensities: NDArray[np.float64], *, real: bool) -> NDArray[np.float64]:
    """‖|F x| − √Y‖ / ‖√Y‖ (B,) of images and intensities (B, m1, m2), over what was measured, in double precision.

    Args:
        intensities: NaN where nothing was measured.
        real: the objects are known to be real: Y is then the mean of the two measurements that there are of it.
    """
    magnitude = np.sqrt(friedel_mean(intensities) if real else intensities)
    measured = ~np.isnan(magnitude)
    found = np.abs(scipy.fft.fft2(images.astype(np.result_type(images, np.float64)), axes=(1, 2)))
    misfit = np.where(measured, found - magnitude, 0)
    norms = (np.linalg.norm(plane, axis=(1, 2)) for plane in (misfit, np.where(measured, magnitude, 0)))
    return np.divide(*norms)
