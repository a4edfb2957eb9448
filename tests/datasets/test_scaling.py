"""Powers of two scale without rounding, wherever the numbers lie."""

from __future__ import annotations

import numpy as np
import pytest

from datasets.scaling import exponents, largest_part, times_two_to_the

KINDS = [np.float32, np.float64, np.complex64, np.complex128]


@pytest.mark.parametrize("kind", KINDS)
def test_one_becomes_the_smallest_and_the_largest_power_of_two_and_one_again(kind):
    one, limits = np.ones((2, 1, 3), dtype=kind), np.finfo(kind)
    for exponent in (limits.minexp - limits.nmant, limits.maxexp - 1):
        there = times_two_to_the(one, exponent)
        assert there.dtype == kind
        np.testing.assert_array_equal(there, np.ldexp(limits.dtype.type(1), exponent))
        np.testing.assert_array_equal(times_two_to_the(there, -exponent), one)


@pytest.mark.parametrize("kind", KINDS)
def test_each_image_has_an_exponent_of_its_own(rng, kind):
    images = rng.random((3, 4, 5)).astype(kind)
    scaled = times_two_to_the(images, [-7, 0, 30])
    np.testing.assert_array_equal(scaled, images * np.array([2.0**-7, 1, 2.0**30], kind)[:, None, None])


def test_an_exponent_brings_a_number_below_one_and_not_below_one_half():
    numbers = np.array([1.0, 0.999, 5e-324, 1.7e308, -3.0])
    halves = np.ldexp(numbers, -exponents(numbers))
    assert ((abs(halves) >= 0.5) & (abs(halves) < 1)).all()
    assert exponents([0.0, np.nan, np.inf, -np.inf]).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_part_is_that_of_real_and_imaginary_parts(kind):
    images = np.zeros((3, 2, 2), dtype=kind)
    images[0, 1, 1] = -4
    images[1, 0, 1] = 3 if kind in KINDS[:2] else 1 - 3j
    images[2, 1, 0] = np.nan
    np.testing.assert_array_equal(largest_part(images), [4, 3, np.nan])
    assert largest_part(images[:0]).shape == (0,)
