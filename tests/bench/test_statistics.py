"""Intervals that contain what they claim to contain, as often as they claim."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics import bootstrap_mean, wilson


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_a_bootstrap_interval_covers_the_mean_about_19_times_in_20(draw):
    rng = np.random.default_rng(0)
    mean = {"normal": 0.0, "exponential": 1.0}[draw]
    covered = 0
    for repetition in range(300):
        values = getattr(rng, f"standard_{draw}")(60)
        low, high = bootstrap_mean(values, resamples=200, seed=repetition)
        covered += low <= mean <= high
    assert 0.88 < covered / 300 < 0.985


def test_it_narrows_with_the_root_of_the_number_of_images(rng):
    widths = [np.subtract(*bootstrap_mean(rng.standard_normal(n))[::-1]) for n in (100, 10_000)]
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.25)
    assert widths[0] == pytest.approx(2 * 1.96 / np.sqrt(100), rel=0.25)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_it_contains_the_mean_and_stays_within_the_values(values):
    low, high = bootstrap_mean(np.array(values), resamples=200)
    assert min(values) - 1e-12 <= low <= np.mean(values) + 1e-12
    assert np.mean(values) - 1e-12 <= high <= max(values) + 1e-12


def test_the_same_images_have_the_same_interval(rng):
    values = rng.random(30)
    assert bootstrap_mean(values) == bootstrap_mean(values)


def test_one_image_has_no_interval():
    assert np.isnan(bootstrap_mean(np.array([0.3]))).all()


# Newcombe, Stat. Med. 17, 857 (1998), table I, method 3.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_has_its_published_values(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 1000), st.data())
def test_wilsons_interval_is_his_formula(n, data):
    successes, z = data.draw(st.integers(0, n)), 1.959963984540054
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson(successes, n) == pytest.approx((centre - half, centre + half), abs=1e-9)
