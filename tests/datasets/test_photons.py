"""The noise of a pattern says how many photons it has, and half a plane can be counted instead of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import measure
from datasets.forward import half_plane
from datasets.photons import count_half_plane, estimate_photons, one_photon, pairs


@pytest.mark.parametrize("photons", [1e2, 1e3, 1e5, 1e7, 1e9])
def test_the_photons_are_known_from_the_pattern_alone(tiles, photons):
    found = estimate_photons(measure(tiles, photons=photons).intensities)
    assert np.abs(np.log10(found / photons)).max() < (0.3 if photons < 1e3 else 0.1)


def test_without_noise_there_are_more_photons_than_any_detector_counts(tiles):
    assert estimate_photons(measure(tiles).intensities).min() > 1e20


def test_a_pattern_that_is_its_own_opposite_to_the_last_bit_has_infinitely_many():
    assert np.isinf(estimate_photons(np.ones((1, 4, 5)))).all()


def test_photons_are_those_of_what_was_measured(tiles):
    whole = measure(tiles, photons=1e6).intensities
    part = whole.copy()
    part[:, :40] = np.nan
    expected = 1e6 * np.nansum(part, axis=(1, 2)) / whole.sum(axis=(1, 2))
    np.testing.assert_allclose(estimate_photons(part), expected, rtol=0.2)


@given(st.floats(1e-30, 1e30))
def test_the_unit_of_the_intensities_does_not_matter(unit):
    y = np.random.default_rng(0).poisson(3.0, (2, 6, 7)).astype(float)
    np.testing.assert_allclose(estimate_photons(unit * y), estimate_photons(y), rtol=1e-9)


@pytest.mark.parametrize("photons", [1e3, 1e5, 1e7])
def test_what_was_not_measured_does_not_change_what_a_photon_is(tiles, photons):
    seen = np.ones((96, 96), dtype=bool)
    seen[:9, 3:50] = False  # not the same at k and −k
    expected = measure(tiles).intensities.sum(axis=(1, 2)) / photons
    for mask in (None, seen):
        found = one_photon(measure(tiles, photons=photons, mask=mask).intensities)
        np.testing.assert_allclose(found, expected, rtol=0.2)


def test_a_photon_has_the_unit_of_the_intensities_and_is_nothing_in_the_dark(tiles):
    y = measure(tiles, photons=1e5).intensities
    np.testing.assert_allclose(one_photon(4 * y), 4 * one_photon(y))
    assert one_photon(np.zeros((1, 4, 5))) == 0


def test_one_pair_of_counts_gives_its_own_estimate():
    """A pair of 5 and 1 photons: (5 − 1)² / (5 + 1) = 8 / 3 for one photon, of 6 / (8 / 3) in all."""
    y = np.zeros((1, 4, 4))
    y[0, 1, 2], y[0, 3, 2] = 5, 1
    assert estimate_photons(y)[0] == pytest.approx(6 / (8 / 3))


@pytest.mark.parametrize(("grid", "own"), [((6, 8), 4), ((5, 8), 2), ((5, 7), 1)])
def test_the_frequencies_that_are_their_own_opposite(grid, own):
    k = np.stack(np.meshgrid(*map(np.arange, grid), indexing="ij"))
    literal = (2 * k % np.array(grid)[:, None, None] == 0).all(axis=0)
    np.testing.assert_array_equal(pairs(grid), ~literal)
    assert literal.sum() == own


@pytest.mark.parametrize("grid", [(8, 8), (7, 8), (8, 9)])
def test_counts_on_the_half_plane_are_distributed_as_those_of_the_whole(small_objects, grid):
    """Mean and variance of every coefficient over many draws, against the half plane of whole measurements."""
    x, draws, photons = small_objects[:1, :4, :4], 4000, 2e3
    clean = half_plane(measure(x, grid=grid).intensities)[0]
    rng = np.random.default_rng(1)
    mine = np.array([count_half_plane(clean, grid[1], photons, rng) for _ in range(draws)])
    many = measure(np.repeat(x, draws, axis=0), grid=grid, photons=photons)
    theirs = half_plane(many.intensities)
    spread = theirs.std(axis=0)
    assert np.all(np.abs(mine.mean(axis=0) - clean) <= 6 * spread / draws**0.5 + 1e-12)
    np.testing.assert_allclose(mine.std(axis=0), spread, rtol=0.15, atol=1e-12)


def test_a_counted_half_plane_is_one_of_a_real_object(small_objects):
    clean = half_plane(measure(small_objects[:1, :4, :4], grid=(8, 8)).intensities)[0]
    counted = count_half_plane(clean, 8, 50.0, np.random.default_rng(0))
    for column in (0, 4):
        np.testing.assert_array_equal(counted[1:, column], counted[:0:-1, column])


def test_a_dark_pattern_stays_dark():
    assert not count_half_plane(np.zeros((6, 5)), 8, 1e3, np.random.default_rng(0)).any()
