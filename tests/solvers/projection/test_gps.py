"""GPS is the published iteration: a relaxed step to the magnitudes, and a smoothed one of the multiplier."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from conftest import prepared

from datasets import measure
from solvers.iterative.block import box_block

GRID, SHAPE = (9, 8), (4, 3)
T, S, SIGMA, STAGES = 0.8, 0.7, 0.3, 4
LABEL = f"gps[t={T},s={S},sigma={SIGMA},stages={STAGES},iterations=8"


def smooth(y, alpha):
    """The convolution with a Gaussian whose transform is exp(−s |k|² / 2α²)."""
    k = [m * np.fft.fftfreq(m) for m in GRID]
    kernel = np.exp(-S * (k[0][:, None] ** 2 + k[1] ** 2) / (2 * alpha**2))
    return np.fft.ifft2(kernel * np.fft.fft2(y))


def literal(z, y, root, ps, alpha):
    moved = z - T * np.fft.fft2(y)
    following = (T * root * moved / np.abs(moved) + SIGMA * moved) / (T + SIGMA)
    y = y + S * np.fft.ifft2(2 * following - z)
    return following, smooth(y - ps(y), alpha)


@pytest.mark.parametrize("kind", ["real", "nonnegative", "complex"])
def test_iterations_are_the_published_ones_in_all_stages(rng, numpy64, kind):
    objects = rng.random((3, *SHAPE)) * (np.exp(2j * rng.random((3, *SHAPE))) if kind == "complex" else 1)
    m = measure(objects, grid=GRID)
    nonneg = kind == "nonnegative"
    solver = prepared(f"{LABEL},nonneg={str(nonneg).lower()}]", numpy64)
    guess = rng.standard_normal((3, *GRID)) + (1j * rng.standard_normal((3, *GRID)) if kind == "complex" else 0)
    block = box_block(m, numpy64, real=kind != "complex", nonnegative=nonneg)

    def ps(images):
        images = images if kind == "complex" else images.real
        return oracles.project_object(images, SHAPE, nonnegative=nonneg)

    z, y = np.fft.fft2(guess), np.zeros((3, *GRID))
    for stage in range(STAGES):
        for _ in range(2):
            z, y = literal(z, y, np.sqrt(m.intensities), ps, 2 * 9 * (1 - stage / STAGES))
    found = solver.estimate(solver.advance(solver.begin(guess, block), block, 8), block)
    np.testing.assert_allclose(found, ps(np.fft.ifft2(z)), atol=1e-9)


def test_it_does_not_matter_how_often_it_is_looked_at(small, numpy64):
    block = box_block(small[:2], numpy64, real=True, nonnegative=True)
    solver = prepared(f"{LABEL},nonneg=true]", numpy64)
    guess = np.random.default_rng(0).random((2, 14, 15))
    at_once = solver.advance(solver.begin(guess, block), block, 7)
    step_by_step = solver.begin(guess, block)
    for _ in range(7):
        step_by_step = solver.advance(step_by_step, block, 1)
    for one, other in zip(at_once, step_by_step, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_the_truth_is_a_fixed_point(small, small_objects, numpy64):
    block = box_block(small, numpy64, real=True, nonnegative=True)
    solver = prepared(f"{LABEL},nonneg=true]", numpy64)
    truth = oracles.embed(small_objects, (14, 15))
    state = solver.advance(solver.begin(truth, block), block, 5)
    np.testing.assert_allclose(solver.estimate(state, block), truth, atol=1e-9)
