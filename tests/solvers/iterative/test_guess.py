"""An image from elsewhere is moved into the box by the circular shift that brings the most of it there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.iterative.guess import fitted

GRID, BOX = (9, 12), (4, 5)


def most_in_the_box(image):
    """By trying every shift."""
    return max(
        np.sum(np.abs(np.roll(image, (r, c), axis=(0, 1))[: BOX[0], : BOX[1]]) ** 2)
        for r in range(GRID[0])
        for c in range(GRID[1])
    )


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 0.9]))
def test_no_other_shift_brings_more_of_an_image_into_the_box(seed, empty):
    rng = np.random.default_rng(seed)
    image = rng.random(GRID) * (rng.random(GRID) > empty)
    assert np.sum(fitted(image, BOX, real=True) ** 2) >= (1 - 1e-3) * most_in_the_box(image) - 1e-12


@given(st.integers(0, 2**32 - 1))
def test_an_image_that_is_in_the_box_stays_where_it_is(seed):
    image = np.zeros(GRID)
    image[: BOX[0], : BOX[1]] = np.random.default_rng(seed).random(BOX)
    np.testing.assert_array_equal(fitted(image, BOX, real=True), image[: BOX[0], : BOX[1]])


@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(0, 8), st.integers(0, 11)))
def test_what_fills_a_mask_is_brought_into_the_mask(seed, place):
    rng = np.random.default_rng(seed)
    mask = rng.random(BOX) < 0.5
    mask[0, 0] = mask[-1, -1] = True
    image = np.zeros(GRID)
    image[: BOX[0], : BOX[1]] = mask * (1 + rng.random(BOX))
    found = fitted(np.roll(image, place, axis=(0, 1)), BOX, real=True, support=mask)
    np.testing.assert_array_equal(found, image[: BOX[0], : BOX[1]])


@pytest.mark.parametrize("place", [(0, 0), (5, 8), (8, 11), (2, 1)])
def test_what_is_smaller_than_the_box_comes_to_its_middle(place):
    image = np.zeros(GRID)
    image[7:9, 9:12] = 1
    moved = fitted(np.roll(image, place, axis=(0, 1)), BOX, real=True)
    np.testing.assert_array_equal(moved[1:3, 1:4], 1)
    assert moved.sum() == 6


@given(st.integers(0, 2**32 - 1), st.floats(-np.pi, np.pi))
def test_the_global_phase_of_a_complex_image_is_removed(seed, phase):
    image = np.zeros(GRID)
    image[: BOX[0], : BOX[1]] = 0.1 + np.random.default_rng(seed).random(BOX)
    found = fitted(image * np.exp(1j * phase), BOX, real=True)
    np.testing.assert_allclose(found, image[: BOX[0], : BOX[1]], atol=1e-9)
