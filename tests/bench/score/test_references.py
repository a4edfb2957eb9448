"""References are what they are called: the first and the last step of error reduction from the truth."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

import bench.score.references
from bench.score.metrics import adjusted_mse
from bench.score.references import LIMIT, REFERENCES, reconstruct
from datasets import measure
from solvers import Backend, Status

GRID = (14, 15)
DOUBLE = Backend("numpy", precision="float64")


@pytest.fixture
def quick(monkeypatch):
    """Tiny images are at their end soon."""
    monkeypatch.setitem(bench.score.references.REFERENCES, LIMIT, (REFERENCES[LIMIT][0], 300))


def literal_oracle(truth, measurement):
    """P_S P_M X with full transforms; the magnitudes of k and −k, which are equal but for noise, share their energy."""
    y = measurement.intensities
    both = (y + np.roll(y[:, ::-1, ::-1], (1, 1), axis=(1, 2))) / 2
    projected = oracles.project_magnitude(oracles.embed(truth, GRID), both).real
    return oracles.project_object(projected, truth.shape[1:], nonnegative=True)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.usefixtures("quick")
def test_without_noise_a_reference_is_the_truth(small_objects, name):
    found = reconstruct(name, small_objects, measure(small_objects, grid=GRID), DOUBLE)
    np.testing.assert_allclose(found.images, oracles.embed(small_objects, GRID), atol=1e-9)
    assert found.residual.max() < 1e-9


@pytest.mark.parametrize("photons", [1e2, 1e4, 1e6])
def test_the_oracle_is_the_projection_of_the_truth(small_objects, photons):
    measurement = measure(small_objects, grid=GRID, photons=photons)
    found = reconstruct("oracle", small_objects, measurement, DOUBLE)
    expected = literal_oracle(small_objects, measurement)
    np.testing.assert_allclose(found.images, expected, atol=1e-9)
    error = np.sum((expected[:, :6, :7] - small_objects) ** 2, axis=(1, 2)) / np.sum(small_objects**2, axis=(1, 2))
    assert (adjusted_mse(small_objects, found.images) <= error + 1e-12).all(), "another place or scale may fit better"


@pytest.mark.usefixtures("quick")
def test_the_likelihood_limit_fits_better_than_the_oracle_and_is_farther_from_the_truth(small_objects):
    measurement = measure(small_objects, grid=GRID, photons=1e4)
    oracle, limit = (reconstruct(name, small_objects, measurement, DOUBLE) for name in ("oracle", LIMIT))
    assert (limit.residual <= oracle.residual).all()
    errors = [adjusted_mse(small_objects, found.images).mean() for found in (oracle, limit)]
    assert errors[0] < errors[1]


def test_a_reference_uses_of_each_object_what_a_solver_may_know_of_it(small_objects):
    mixed = small_objects[:5].copy()
    mixed[[1, 4], 2, 2] = -0.5
    mixed[3] = 0
    measurement = measure(mixed, grid=GRID, photons=1e4)
    found = reconstruct("oracle", mixed, measurement, DOUBLE)
    below = (found.images < 0).any(axis=(1, 2))
    np.testing.assert_array_equal(below, [False, True, False, False, True])
    assert [status == Status.INVALID for status in found.status] == [False, False, False, True, False]
    alone = reconstruct("oracle", mixed[4:], measurement[np.array([4])], DOUBLE)
    np.testing.assert_allclose(found.images[4], alone.images[0], atol=1e-12)


def test_complex_objects_have_references_as_well(small_objects):
    turned = small_objects[:3] * np.exp(2j * small_objects[3:6])
    found = reconstruct("oracle", turned, measure(turned, grid=GRID), DOUBLE)
    np.testing.assert_allclose(found.images, oracles.embed(turned, GRID), atol=1e-9)


def test_what_was_not_measured_is_left_to_the_truth(small_objects):
    mask = np.ones(GRID, dtype=bool)
    mask[:2, :2] = False
    found = reconstruct("oracle", small_objects, measure(small_objects, grid=GRID, mask=mask), DOUBLE)
    np.testing.assert_allclose(found.images, oracles.embed(small_objects, GRID), atol=1e-9)
