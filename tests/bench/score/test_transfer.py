"""How far the phases of starts are the same, by rings."""

from __future__ import annotations

import numpy as np
import pytest

from bench.score.transfer import THRESHOLD, half_period, rings, transfer


def objects(seed, kind="complex", grid=(16, 15)):
    rng = np.random.default_rng(seed)
    x = np.zeros(grid, dtype=complex if kind == "complex" else float)
    x[3:9, 2:8] = rng.random((6, 6)) + (1j * rng.random((6, 6)) if kind == "complex" else 0)
    return x


def test_where_all_starts_are_the_same_it_is_one():
    x = objects(3)
    frequency, prtf = transfer(np.stack([x] * 4), np.abs(np.fft.fft2(x)) ** 2)
    np.testing.assert_allclose(prtf, 1)
    assert half_period(frequency, prtf) == pytest.approx(1 / (2 * frequency[-1]))


def test_phases_that_differ_lower_it_as_their_mean_does(rng):
    x = objects(4, grid=(32, 32))
    z, ring = np.fft.fft2(x), rings((32, 32))[0]
    angles = 2 * np.pi * rng.random((50, 32, 32))
    images = np.fft.ifft2(np.where(ring >= 8, z * np.exp(1j * angles), z))
    frequency, prtf = transfer(images, np.abs(z) ** 2)
    np.testing.assert_allclose(prtf[:8], 1)
    assert (prtf[8:] < 0.3).all()
    assert 1 / (2 * frequency[8]) < half_period(frequency, prtf) < 1 / (2 * frequency[7])


def test_what_was_not_measured_does_not_count():
    x = objects(5)
    y = np.abs(np.fft.fft2(x)) ** 2
    y[0, 0] = y[2, 3] = np.nan
    _, prtf = transfer(np.stack([x, x]), y)
    assert np.isnan(prtf[0])
    np.testing.assert_allclose(prtf[1:], 1)


@pytest.mark.parametrize("grid", [(16, 16), (15, 20), (9, 8)])
def test_a_ring_holds_the_frequencies_of_its_radius(grid):
    ring, frequency = rings(grid)
    for i in range(grid[0]):
        for j in range(grid[1]):
            k = np.hypot(np.fft.fftfreq(grid[0])[i], np.fft.fftfreq(grid[1])[j])
            if ring[i, j] >= 0:
                assert abs(frequency[ring[i, j]] - k) <= 0.5 / min(grid) + 1e-12
            else:
                assert k > frequency[-1]


def test_the_resolution_is_read_where_the_curve_crosses():
    frequency = np.array([0, 0.1, 0.2, 0.3, 0.4])
    assert half_period(frequency, np.array([1, 1, 0.8, THRESHOLD, 0.1])) == pytest.approx(1 / 0.6)
    assert half_period(frequency, np.array([1, 0.1, 0.1, 0.1, 0.1])) == pytest.approx(1 / 0.2)
    assert half_period(frequency, np.array([np.nan, 1, np.nan, 1, 1])) == pytest.approx(1 / 0.8)
    assert np.isnan(half_period(frequency, np.full(5, np.nan)))
