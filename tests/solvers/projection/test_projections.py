"""P_M and P_S are the nearest points of their sets, and the residual is that of the whole Fourier plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import oracles
import pytest

from datasets import measure
from solvers import Backend
from solvers.compiled import UNMEASURED
from solvers.iterative.block import box_block

GRIDS = [(8, 8), (9, 7), (8, 9), (7, 10)]
BACKEND = Backend("numpy", precision="float64")


def random_images(rng, shape, real):
    x = rng.standard_normal(shape)
    return x if real else x + 1j * rng.standard_normal(shape)


def block_of(rng, grid, *, real=True, nonneg=False):
    """A block of five images of (4, 3) pixels, and their measurement."""
    measurement = measure(random_images(rng, (5, 4, 3), real), grid=grid)
    return box_block(measurement, BACKEND, real=real, nonnegative=nonneg), measurement


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_magnitude_projection_is_the_formula_on_the_whole_plane(rng, grid, real):
    block, m = block_of(rng, grid, real=real)
    x = random_images(rng, (5, *grid), real)
    np.testing.assert_allclose(block.project_magnitude(x), oracles.project_magnitude(x, m.intensities), atol=1e-12)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_magnitude_projection_has_the_measured_magnitudes_and_projecting_again_changes_nothing(rng, grid, real):
    block, m = block_of(rng, grid, real=real)
    p = block.project_magnitude(random_images(rng, (5, *grid), real))
    np.testing.assert_allclose(np.abs(np.fft.fft2(p)) ** 2, m.intensities, atol=1e-10)
    np.testing.assert_allclose(block.project_magnitude(p), p, atol=1e-12)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("grid", GRIDS)
def test_no_image_with_the_measured_magnitudes_is_nearer_than_the_projection(rng, grid, real):
    block, _ = block_of(rng, grid, real=real)
    x = random_images(rng, (5, *grid), real)
    p = block.project_magnitude(x)
    nearest = np.linalg.norm(x - p, axis=(1, 2))
    for size in (1e-3, 0.1, 10):  # from competitors beside the projection to unrelated ones
        for _ in range(20):
            competitor = block.project_magnitude(p + size * random_images(rng, p.shape, real))
            assert (np.linalg.norm(x - competitor, axis=(1, 2)) >= nearest - 1e-12).all()


@pytest.mark.parametrize("backend", [BACKEND, Backend("torch", precision="float32")], ids=lambda b: b.name)
def test_where_there_is_no_phase_the_projection_takes_the_magnitude_zero(rng, backend):
    block = box_block(measure(1e4 * rng.random((2, 4, 3)), grid=(8, 10)), backend, real=True, nonnegative=False)
    dark = backend.asarray(np.zeros((2, 8, 10)))
    np.testing.assert_array_equal(backend.to_numpy(block.project_magnitude(dark)), 0)
    wave = np.cos(2 * np.pi * np.arange(8) / 8)[None, :, None] * np.ones((2, 1, 10))  # two coefficients
    assert np.isfinite(backend.to_numpy(block.project_magnitude(backend.asarray(wave)))).all()


@pytest.mark.parametrize("nonneg", [True, False])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_object_projection_is_the_formula_and_idempotent(rng, grid, nonneg):
    block, _ = block_of(rng, grid, nonneg=nonneg)
    x = random_images(rng, (5, *grid), real=True)
    s = block.project_object(x)
    np.testing.assert_array_equal(s, oracles.project_object(x, (4, 3), nonnegative=nonneg))
    np.testing.assert_array_equal(block.project_object(s), s)


@pytest.mark.parametrize("nonneg", [True, False])
def test_no_image_in_the_support_is_nearer_than_the_object_projection(rng, nonneg):
    block, _ = block_of(rng, (8, 9), nonneg=nonneg)
    x = random_images(rng, (5, 8, 9), real=True)
    s = block.project_object(x)
    nearest = np.linalg.norm(x - s, axis=(1, 2))
    for size in (1e-3, 0.1, 10):
        for _ in range(20):
            competitor = block.project_object(s + size * random_images(rng, s.shape, real=True))
            assert (np.linalg.norm(x - competitor, axis=(1, 2)) >= nearest - 1e-12).all()


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_residual_counts_every_sample_of_the_plane_once(rng, grid, real):
    block, m = block_of(rng, grid, real=real)
    x = random_images(rng, (5, *grid), real)
    np.testing.assert_allclose(block.residual(x), oracles.residual(x, m.intensities), rtol=1e-12)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_real_images_half_plane_is_the_mean_of_both_halves_of_a_noisy_measurement(rng, grid):
    noisy = measure(rng.random((3, 4, 3)), grid=grid, photons=1e3)
    mirrored = noisy.intensities[:, -np.arange(grid[0]) % grid[0]][:, :, -np.arange(grid[1]) % grid[1]]
    half = np.sqrt((noisy.intensities + mirrored) / 2)[:, :, : grid[1] // 2 + 1]
    np.testing.assert_allclose(box_block(noisy, BACKEND, real=True, nonnegative=False).magnitude, half, rtol=1e-12)


def mirrored(plane):
    """The plane of the coefficients −k."""
    return np.roll(plane[:, ::-1, ::-1], 1, axis=(1, 2))


def masked_block_of(rng, grid, *, real):
    """As `block_of`, with the coefficients (5, m1, m2) that are known and those, real images, of which −k is."""
    measurement = measure(random_images(rng, (5, 4, 3), real), grid=grid)
    mask = rng.random((5, *grid)) < 0.6
    lost = replace(measurement, intensities=np.where(mask, measurement.intensities, np.nan))
    known = mask | mirrored(mask) if real else mask
    return box_block(lost, BACKEND, real=real, nonnegative=False, mask=mask), measurement, known


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_projection_leaves_what_was_not_measured_as_it_is(rng, grid, real):
    block, m, known = masked_block_of(rng, grid, real=real)
    x = random_images(rng, (5, *grid), real)
    before, after = np.fft.fft2(x), np.fft.fft2(block.project_magnitude(x))
    assert 0 < known.mean() < 1
    np.testing.assert_allclose(after[~known], before[~known], atol=1e-12)
    expected = np.fft.fft2(oracles.project_magnitude(x, m.intensities))
    np.testing.assert_allclose(after[known], expected[known], atol=1e-10)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_residual_counts_what_was_measured(rng, grid, real):
    block, m, known = masked_block_of(rng, grid, real=real)
    x = random_images(rng, (5, *grid), real)
    root = np.where(known, np.sqrt(m.intensities), 0)
    wrong = np.where(known, np.abs(np.fft.fft2(x)) - root, 0)
    literal = np.linalg.norm(wrong, axis=(1, 2)) / np.linalg.norm(root, axis=(1, 2))
    np.testing.assert_allclose(block.residual(x), literal, rtol=1e-12)


@pytest.mark.parametrize("grid", GRIDS)
def test_of_two_measurements_of_a_coefficient_the_one_that_there_is_counts_alone(rng, grid):
    noisy = measure(rng.random((3, 4, 3)), grid=grid, photons=1e3)
    mask = rng.random((3, *grid)) < 0.5
    block = box_block(noisy, BACKEND, real=True, nonnegative=False, mask=mask)
    both = np.stack([noisy.intensities, mirrored(noisy.intensities)])
    seen = np.stack([mask, mirrored(mask)])
    sums, count = np.where(seen, both, 0).sum(axis=0), seen.sum(axis=0)
    expected = np.where(count > 0, np.sqrt(sums / np.maximum(count, 1)), UNMEASURED)
    assert {0, 1, 2} == set(np.unique(count))
    np.testing.assert_allclose(block.magnitude, expected[:, :, : grid[1] // 2 + 1], rtol=1e-12)


@pytest.mark.parametrize("real", [True, False])
def test_a_mask_that_hides_nothing_changes_nothing(rng, real):
    m = measure(random_images(rng, (5, 4, 3), real), grid=(8, 9), photons=1e4)
    everything = np.ones(m.intensities.shape, dtype=bool)
    plain, masked = (box_block(m, BACKEND, real=real, nonnegative=False, mask=mask) for mask in (None, everything))
    np.testing.assert_array_equal(plain.magnitude, masked.magnitude)
    assert not masked.masked


def test_the_truth_satisfies_both_constraints(rng):
    x = rng.random((5, 4, 3))
    block = box_block(measure(x, grid=(8, 9)), BACKEND, real=True, nonnegative=True)
    truth = oracles.embed(x, (8, 9))
    np.testing.assert_allclose(block.project_magnitude(truth), truth, atol=1e-12)
    np.testing.assert_array_equal(block.project_object(truth), truth)
    np.testing.assert_allclose(block.residual(truth), 0, atol=1e-12)


def test_the_images_of_a_block_can_be_parted_and_joined(rng):
    block, _ = block_of(rng, (8, 9))
    x = random_images(rng, (5, 8, 9), real=True)
    rows = np.array([3, 0])
    again = block.take(rows).join(block.take(np.array([1])))
    order = np.array([3, 0, 1])
    np.testing.assert_array_equal(again.project_magnitude(x[order]), block.project_magnitude(x)[order])
    np.testing.assert_array_equal(again.support, block.support[order])
