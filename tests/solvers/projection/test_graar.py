"""gRAAR is RAAR that relaxes to smoothed intensities."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from conftest import prepared

from datasets import measure
from solvers import Streams
from solvers.projection.graar import smoothed

GRID, SHAPE = (9, 8), (4, 3)


def literal_smoothing(y, measured, sigma):
    """The mean of what was measured, weighted with a Gaussian of the distance on a periodic grid."""
    m1, m2 = y.shape
    found = np.array(y)
    for i, j in np.argwhere(measured):
        total = weights = 0.0
        for k in range(-5 * m1, 5 * m1 + 1):
            for n in range(-5 * m2, 5 * m2 + 1):
                if measured[(i + k) % m1, (j + n) % m2]:
                    g = np.exp(-(k**2 + n**2) / (2 * sigma**2))
                    total, weights = total + g * y[(i + k) % m1, (j + n) % m2], weights + g
        found[i, j] = total / weights
    return found


@pytest.mark.parametrize("masked", [False, True])
def test_intensities_are_smoothed_over_what_was_measured(rng, masked):
    y = rng.random((1, 5, 6))
    if masked:
        y[0, :2, 1:3] = np.nan
    measured = ~np.isnan(y)
    found = smoothed(y, measured, 1.2)[0]
    np.testing.assert_allclose(found, literal_smoothing(y[0], measured[0], 1.2), rtol=2e-3)


@pytest.mark.parametrize("kind", ["real", "nonnegative", "complex"])
def test_one_step_is_the_published_map(rng, numpy64, kind):
    objects = rng.random((3, *SHAPE)) * (np.exp(2j * rng.random((3, *SHAPE))) if kind == "complex" else 1)
    m = measure(objects, grid=GRID)
    nonneg = kind == "nonnegative"
    solver = prepared(f"graar[beta=0.8,sigma=1.1,nonneg={str(nonneg).lower()}]", numpy64)
    x = rng.standard_normal((3, *GRID)) + (1j * rng.standard_normal((3, *GRID)) if kind == "complex" else 0)
    soft = smoothed(m.intensities, m.measured, 1.1)

    def pm(images, y):
        projected = oracles.project_magnitude(images, y)
        return projected if kind == "complex" else projected.real

    def ps(images):
        return oracles.project_object(images, SHAPE, nonnegative=nonneg)

    rm = 2 * pm(x, m.intensities) - x
    expected = 0.8 / 2 * ((2 * ps(rm) - rm) + x) + 0.2 * pm(x, soft)
    found = next_iterate(solver, m, x)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def next_iterate(solver, measurement, x):
    from solvers.iterative.block import box_block

    block = box_block(measurement, solver.backend, real=not np.iscomplexobj(x), nonnegative=solver.nonneg)
    return solver.step(x, solver.constrain(block, measurement))


def test_what_narrows_to_nothing_is_raar(small, numpy64):
    one, other = (
        prepared(label, numpy64).solve(small, Streams())
        for label in ("graar[nonneg=true,beta=0.9,sigma=0.00001,iterations=8]", "raar[nonneg=true,iterations=8]")
    )
    np.testing.assert_allclose(one.images, other.images, atol=1e-7)
    assert (one.transforms > other.transforms).all()
