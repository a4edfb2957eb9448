"""The noise of real objects is told from the two halves of their Fourier plane, which are equal but for it."""

from __future__ import annotations

import numpy as np
import pytest

from datasets import measure
from solvers.iterative.noise import photon


def expected(measurement, photons):
    """The intensity of one photon, from the noiseless measurement."""
    return measurement.intensities.sum(axis=(1, 2)) / photons


@pytest.mark.parametrize("photons", [1e3, 1e5, 1e7])
def test_poisson_counts_say_how_many_photons_there_were(tiles, photons):
    found = photon(measure(tiles, photons=photons).intensities)
    np.testing.assert_allclose(found, expected(measure(tiles), photons), rtol=0.2)


def test_there_is_no_noise_in_exact_intensities(tiles):
    exact = measure(tiles)
    assert (photon(exact.intensities) < 1e-12 * expected(exact, 1)).all()


def test_what_was_not_measured_says_nothing(tiles):
    seen = np.ones((96, 96), dtype=bool)
    seen[:9, 3:50] = False  # not the same at k and −k
    found = photon(measure(tiles, photons=1e5, mask=seen).intensities)
    np.testing.assert_allclose(found, expected(measure(tiles), 1e5), rtol=0.2)


def test_the_unit_of_the_intensities_is_free(tiles):
    y = measure(tiles, photons=1e5).intensities
    np.testing.assert_allclose(photon(4 * y), 4 * photon(y))
    assert photon(np.zeros((1, 4, 5))) == 0
