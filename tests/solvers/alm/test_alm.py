"""ALM: the gradient of its Lagrangian, its multipliers, its descent."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import embed

from datasets import measure
from solvers import create
from solvers.alm.lbfgs import History
from solvers.alm.solver import _Iterate
from solvers.iterative.block import box_block

SHAPE, GRID, BATCH = (4, 3), (9, 8), 3
KINDS = ["box", "nonneg", "complex"]


def problem(rng, backend, kind):
    """A prepared solver, a block, and random z and λ (λ as the updates leave it, zero inside the box)."""
    real = kind != "complex"

    def images(*shape):
        x = rng.standard_normal(shape)
        return x if real else x + 1j * rng.standard_normal(shape)

    x = rng.random((BATCH, *SHAPE)) if kind == "nonneg" else images(BATCH, *SHAPE)
    solver = create("alm[nonneg=true]" if kind == "nonneg" else "alm")
    solver.prepare(backend)
    block = box_block(measure(x, grid=GRID), backend, real=real, nonnegative=kind == "nonneg")
    z, multiplier = images(BATCH, *GRID), images(BATCH, *GRID)
    if kind == "nonneg":  # inside the box the multiplier of z ≥ 0 is negative, never positive
        inside = np.array(block.support)
        multiplier = np.where(inside, -abs(multiplier), multiplier)
    else:
        multiplier = multiplier - block.project_object(multiplier)
    return solver, block, z, multiplier


def lagrangian(solver, z, multiplier, rho, block):
    """L and its gradient at any z."""
    return solver.penalised(z, z - block.project_magnitude(z), multiplier, rho, block)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_finite_differences(rng, numpy64, kind):
    solver, block, z, multiplier = problem(rng, numpy64, kind)
    rho = np.array([0.05, 0.7, 3.0])
    _, gradient = lagrangian(solver, z, multiplier, rho, block)
    assert gradient.dtype == z.dtype
    for _ in range(12):
        d = rng.standard_normal(z.shape)
        d = d if kind != "complex" else d + 1j * rng.standard_normal(z.shape)
        d /= np.linalg.norm(d, axis=(1, 2), keepdims=True)
        h = 1e-6
        above, _ = lagrangian(solver, z + h * d, multiplier, rho, block)
        below, _ = lagrangian(solver, z - h * d, multiplier, rho, block)
        slope = np.sum(np.conj(gradient) * d, axis=(1, 2)).real
        size = np.linalg.norm(gradient, axis=(1, 2))
        np.testing.assert_allclose((above - below) / (2 * h), slope, atol=1e-6 * size.max())


@pytest.mark.parametrize("kind", ["box", "complex"])
def test_for_the_box_it_is_the_textbook_lagrangian(rng, numpy64, kind):
    """½‖Z − P_M Z‖² + Re⟨λ, AZ⟩ + ρ/2 ‖AZ‖², up to the constant ‖λ‖²/2ρ."""
    solver, block, z, multiplier = problem(rng, numpy64, kind)
    rho = np.array([0.05, 0.7, 3.0])
    outside = np.where(block.support, 0, z)
    misfit = z - block.project_magnitude(z)
    expected = (
        np.sum(abs(misfit) ** 2, axis=(1, 2)) / 2
        + np.sum(np.conj(multiplier) * outside, axis=(1, 2)).real
        + rho / 2 * np.sum(abs(outside) ** 2, axis=(1, 2))
        + np.sum(abs(multiplier) ** 2, axis=(1, 2)) / (2 * rho)
    )
    value, gradient = lagrangian(solver, z, multiplier, rho, block)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    wide = rho[:, None, None]
    np.testing.assert_allclose(gradient, misfit + multiplier + wide * outside, rtol=1e-10, atol=1e-12)


def started(solver, block, z, **changes):
    """The first iterate and history of a solver at z, with some of the iterate's values replaced."""
    size = len(_Iterate._fields)
    state = solver.begin(z, block)
    iterate = _Iterate(*state[:size])._replace(**changes)
    value, gradient, misfit = solver.lagrangian(z, iterate, block)
    return iterate._replace(value=value, gradient=gradient, misfit=misfit), History.of(state[size:])


@pytest.mark.parametrize("kind", ["box", "complex"])
def test_multipliers_grow_by_rho_times_the_violation(rng, numpy64, kind):
    """λ ← λ + ρ A Z."""
    solver, block, z, multiplier = problem(rng, numpy64, kind)
    rho, due = np.array([0.05, 0.7, 3.0]), np.full(BATCH, float(solver.inner))
    iterate, _ = started(solver, block, z, multiplier=multiplier, rho=rho, inner=due)
    after = solver.update_multipliers(iterate, block)
    outside = np.where(block.support, 0, z)
    np.testing.assert_allclose(after.multiplier, multiplier + rho[:, None, None] * outside, atol=1e-12)
    np.testing.assert_array_equal(after.inner, 0)


def test_the_multipliers_of_nonnegativity_are_never_positive_inside_the_box(rng, numpy64):
    solver, block, z, multiplier = problem(rng, numpy64, "nonneg")
    rho, due = np.full(BATCH, 0.4), np.full(BATCH, float(solver.inner))
    iterate, _ = started(solver, block, z, multiplier=multiplier, rho=rho, inner=due)
    after = solver.update_multipliers(iterate, block)
    inside = np.array(block.support)
    np.testing.assert_allclose(after.multiplier[inside], np.minimum(multiplier + 0.4 * z, 0)[inside], atol=1e-12)
    np.testing.assert_allclose(after.multiplier[~inside], (multiplier + 0.4 * z)[~inside], atol=1e-12)


def test_multipliers_wait_until_the_subproblem_has_had_its_steps(rng, numpy64):
    solver, block, z, multiplier = problem(rng, numpy64, "box")
    inner = np.array([0, solver.inner - 1, solver.inner], dtype=float)
    iterate, _ = started(solver, block, z, multiplier=multiplier, inner=inner)
    after = solver.update_multipliers(iterate, block)
    np.testing.assert_array_equal(after.multiplier[:2], multiplier[:2])
    np.testing.assert_array_equal(after.inner[:2], inner[:2])
    assert not np.allclose(after.multiplier[2], multiplier[2])


def test_the_penalty_grows_only_where_the_violation_stays(rng, numpy64):
    _, block, z, _ = problem(rng, numpy64, "box")
    solver = create("alm[growth=3,shrink=0.5,rho=0.1,rho_max=0.25]")
    solver.prepare(numpy64)
    violation = np.linalg.norm(np.where(block.support, 0, z), axis=(1, 2))
    before = violation * np.array([3.0, 1.5, 1.5])  # fallen to a third; to two thirds, twice
    rho, due = np.array([0.05, 0.05, 0.2]), np.full(BATCH, float(solver.inner))
    iterate, _ = started(solver, block, z, rho=rho, violation=before, inner=due)
    after = solver.update_multipliers(iterate, block)
    np.testing.assert_allclose(after.rho, [0.05, 0.15, 0.25])
    np.testing.assert_allclose(after.violation, violation)


@pytest.mark.parametrize("kind", KINDS)
def test_the_lagrangian_only_falls_within_a_subproblem(rng, numpy64, kind):
    solver, block, z, multiplier = problem(rng, numpy64, kind)
    rho = np.array([0.05, 0.7, 3.0])
    iterate, history = started(solver, block, z, multiplier=0.1 * multiplier, rho=rho)
    first, _ = lagrangian(solver, iterate.z, iterate.multiplier, iterate.rho, block)
    value = first
    for _ in range(60):
        iterate, history = solver.step(iterate, history, block)
        following, _ = lagrangian(solver, iterate.z, iterate.multiplier, iterate.rho, block)
        assert (following <= value + 1e-12 * abs(first)).all()
        value = following
    assert (value < 0.9 * first).all()


@pytest.mark.parametrize("kind", KINDS)
def test_value_gradient_and_distance_are_kept_up_to_date(rng, numpy64, kind):
    solver, block, z, _ = problem(rng, numpy64, kind)
    iterate, history = started(solver, block, z)
    for _ in range(3 * solver.inner):
        iterate, history = solver.step(iterate, history, block)
        iterate = solver.update_multipliers(iterate, block)
        value, gradient = lagrangian(solver, iterate.z, iterate.multiplier, iterate.rho, block)
        np.testing.assert_allclose(iterate.misfit, iterate.z - block.project_magnitude(iterate.z), atol=1e-12)
        np.testing.assert_allclose(iterate.value, value, rtol=1e-12)
        np.testing.assert_allclose(iterate.gradient, gradient, atol=1e-12)
    assert (iterate.multiplier != 0).any()


def test_the_truth_is_a_stationary_point(rng, numpy64):
    x = rng.random((BATCH, *SHAPE))
    solver = create("alm[nonneg=true]")
    solver.prepare(numpy64)
    block = box_block(measure(x, grid=GRID), numpy64, real=True, nonnegative=True)
    truth = embed(x, GRID)
    value, gradient = lagrangian(solver, truth, 0 * truth, np.full(BATCH, 0.3), block)
    np.testing.assert_allclose(value, 0, atol=1e-20)
    np.testing.assert_allclose(gradient, 0, atol=1e-11)
    state = solver.advance(solver.begin(truth, block), block, 10)
    np.testing.assert_allclose(solver.estimate(state, block), truth, atol=1e-10)
