"""Y = |F X Fᵀ|² (eq. 1.1) against the literal partial Fourier matrices, and its three symmetries."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import conjugate_flip, embed, literal_intensities

from datasets import forward, measure
from datasets.forward import expand_half_plane, friedel_mean, half_plane

undersampled = pytest.mark.filterwarnings("ignore:grid .* is below 2n - 1")


@st.composite
def objects(draw, *, oversampled: bool = False):
    """A few random objects (B, n1, n2), real or complex, and a grid that holds them."""
    n1, n2 = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    least = (2 * n1 - 1, 2 * n2 - 1) if oversampled else (n1, n2)
    grid = tuple(n + draw(st.integers(0, 7)) for n in least)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((2, n1, n2))
    return (x + 1j * rng.standard_normal(x.shape) if draw(st.booleans()) else x), grid


@undersampled
@given(objects())
def test_intensities_are_those_of_the_partial_fourier_matrices(case):
    x, grid = case
    expected = np.stack([literal_intensities(image, grid) for image in x])
    np.testing.assert_allclose(forward(x, grid), expected, rtol=1e-10, atol=1e-10 * expected.max())


@given(objects(oversampled=True), st.integers(0, 6), st.integers(0, 6))
def test_a_shifted_object_has_the_same_intensities(case, down, right):
    x, (m1, m2) = case
    grid = (m1 + down, m2 + right)
    shifted = np.pad(x, ((0, 0), (down, 0), (right, 0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the shifted object's frame is larger, its content is not
        np.testing.assert_allclose(forward(shifted, grid), forward(x, grid), atol=1e-9)


@given(objects(oversampled=True))
def test_a_conjugate_flipped_object_has_the_same_intensities(case):
    x, grid = case
    np.testing.assert_allclose(forward(conjugate_flip(x), grid), forward(x, grid), atol=1e-9)


@given(objects(oversampled=True), st.floats(-np.pi, np.pi))
def test_a_global_phase_leaves_no_trace_in_the_intensities(case, theta):
    x, grid = case
    np.testing.assert_allclose(forward(x * np.exp(1j * theta), grid), forward(x, grid), atol=1e-9)


def test_a_flip_without_conjugation_changes_a_complex_objects_intensities(rng):
    x = rng.standard_normal((1, 4, 4)) + 1j * rng.standard_normal((1, 4, 4))
    assert not np.allclose(forward(x[:, ::-1, ::-1], (8, 8)), forward(x, (8, 8)))


def test_the_zero_frequency_comes_first_and_nothing_is_normalised(rng):
    x = rng.random((3, 5, 4))
    y = forward(x, (11, 9))
    np.testing.assert_allclose(y[:, 0, 0], x.sum((1, 2)) ** 2)
    np.testing.assert_allclose(y.sum((1, 2)), 11 * 9 * (x**2).sum((1, 2)))  # Parseval


@pytest.mark.parametrize("m2", [1, 2, 7, 8])
def test_the_half_plane_of_a_real_image_determines_the_whole(rng, m2):
    whole = np.abs(np.fft.fft2(rng.standard_normal((2, 5, m2)))) ** 2
    np.testing.assert_allclose(expand_half_plane(whole[..., : m2 // 2 + 1], m2), whole, atol=1e-12)


def test_a_single_precision_image_is_measured_in_double_precision(rng):
    x = rng.random((1, 6, 6)).astype(np.float32)
    assert forward(x, (12, 12)).dtype == np.float64
    np.testing.assert_array_equal(forward(x, (12, 12)), forward(x.astype(np.float64), (12, 12)))


@pytest.mark.parametrize(
    ("objects", "grid", "message"),
    [
        (np.ones((5, 5)), (9, 9), r"objects must be \(batch, n1, n2\), got shape \(5, 5\)"),
        (np.ones(5), (9, 9), r"got shape \(5,\)"),
        ([[["1"]]], (9, 9), "objects must be numbers, got an array of <U1"),
        (np.full((1, 5, 5), None), (9, 9), "objects must be numbers, got an array of object"),
        ([[[1.0, 2.0], [3.0]]], (9, 9), "objects are no array"),
        (np.ones((1, 0, 5)), (9, 9), r"the shape of the objects must be two whole positive numbers, got \(0, 5\)"),
        (np.ones((1, 5, 5)), 9, "grid must be two whole positive numbers, got 9"),
        (np.ones((1, 5, 5)), (9.0, 9), "grid must be two whole positive numbers"),
    ],
)
def test_what_is_no_image_or_no_grid_is_refused_in_one_line(objects, grid, message):
    for observe in (forward, lambda x, g: measure(x, grid=g)):
        with pytest.raises(ValueError, match=message) as error:
            observe(objects, grid)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int16, np.uint64, np.float16, np.float32, np.longdouble, list])
def test_numbers_of_any_kind_are_measured_alike(rng, kind):
    x = rng.integers(0, 2, (2, 4, 5)).astype(float)
    given_so = x.tolist() if kind is list else x.astype(kind)
    np.testing.assert_array_equal(forward(given_so, (9, 10)), forward(x, (9, 10)))


@pytest.mark.parametrize("grid", [(4, 12), (12, 4), (4, 4)])
def test_a_grid_smaller_than_the_object_is_refused(grid):
    with pytest.raises(ValueError, match="cannot measure 5 samples on a grid of 4"):
        forward(np.ones((1, 5, 5)), grid)


@pytest.mark.parametrize("grid", [(8, 9), (9, 8), (5, 5)])
def test_a_grid_below_2n_minus_1_is_warned_of(grid):
    with pytest.warns(UserWarning, match=r"below 2n - 1 = \(9, 9\)"):
        forward(np.ones((1, 5, 5)), grid)


def test_a_grid_of_2n_minus_1_is_enough():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forward(np.ones((1, 5, 5)), (9, 9))


def test_the_frame_may_lie_anywhere_on_the_periodic_grid(rng):
    x = rng.random((1, 4, 5))
    wrapped = embed(x, (9, 10), corner=(7, 8))  # around both borders
    np.testing.assert_allclose(np.abs(np.fft.fft2(wrapped)) ** 2, forward(x, (9, 10)), atol=1e-10)


@pytest.mark.parametrize("grid", [(1, 1), (1, 2), (2, 1), (3, 2), (4, 5), (6, 6), (5, 8)])
def test_both_measurements_of_a_real_images_intensity_are_used(rng, grid):
    y = rng.random((3, *grid))
    m1, m2 = grid
    expected = [
        [[(y[b, r, c] + y[b, -r % m1, -c % m2]) / 2 for c in range(m2 // 2 + 1)] for r in range(m1)] for b in range(3)
    ]
    np.testing.assert_array_equal(half_plane(y), expected)


@given(grid=st.tuples(st.integers(1, 9), st.integers(1, 9)), seed=st.integers(0, 99))
def test_the_mean_of_both_is_that_of_what_was_measured_of_them(grid, seed):
    rng = np.random.default_rng(seed)
    y = np.where(rng.random((2, *grid)) < 0.3, np.nan, rng.random((2, *grid)))
    found = friedel_mean(y)
    for image, row, column in np.ndindex(y.shape):
        both = np.array([y[image, row, column], y[image, -row % grid[0], -column % grid[1]]])
        expected = both[~np.isnan(both)].mean() if not np.isnan(both).all() else np.nan
        np.testing.assert_allclose(found[image, row, column], expected)
    whole = rng.random((2, *grid))
    np.testing.assert_allclose(half_plane(whole), friedel_mean(whole)[:, :, : grid[1] // 2 + 1])
