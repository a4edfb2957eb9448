"""How strong the noise of a measurement is, told from the measurement itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def photon(intensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) the intensity that one photon stands for; 0 where there is no noise. Of real objects (B, m1, m2).

    A real object's intensities at k and −k have one mean and are counted apart. Of Poisson counts with a photon's
    intensity u, E (Y[k] − Y[−k])² = u E (Y[k] + Y[−k]). Frequencies that are their own negatives say nothing, and
    neither do those of which one was not measured (NaN).
    """
    m1, m2 = intensities.shape[1:]
    mirrored = np.roll(intensities[:, ::-1, ::-1], (1, 1), axis=(1, 2))
    alone = np.logical_and.outer(2 * np.arange(m1) % m1 == 0, 2 * np.arange(m2) % m2 == 0)
    seen = ~alone & ~np.isnan(intensities) & ~np.isnan(mirrored)
    sums, differences = (np.where(seen, pair, 0) for pair in (intensities + mirrored, intensities - mirrored))
    total = sums.sum(axis=(1, 2))
    return np.square(differences).sum(axis=(1, 2)) / np.where(total > 0, total, 1)
