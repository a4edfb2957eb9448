"""The two-loop recursion against the BFGS inverse Hessian as a dense matrix (Nocedal and Wright, eq. 6.17)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.alm.lbfgs import History, inner_product, two_loop
from solvers.backend import Backend

xp = Backend("numpy", precision="float64").xp
SHAPE = (2, 3)


def as_reals(a):
    """Complex images as real vectors: Re⟨a, b⟩ is their scalar product."""
    return np.concatenate([a.real.ravel(), a.imag.ravel()]) if np.iscomplexobj(a) else a.ravel()


def dense_direction(gradient, pairs):
    """−Hg of one problem, from pairs oldest first, those without curvature left out."""
    g = as_reals(gradient)
    pairs = [(as_reals(s), as_reals(y)) for s, y in pairs]
    pairs = [(s, y) for s, y in pairs if s @ y > 1e-10 * (y @ y)]
    H = np.eye(len(g))
    if pairs:
        s, y = pairs[-1]
        H = H * (s @ y) / (y @ y)
    for s, y in pairs:
        r = 1 / (s @ y)
        V = np.eye(len(g)) - r * np.outer(y, s)
        H = V.T @ H @ V + r * np.outer(s, s)
    return -H @ g


def random_problem(seed, problems, memory, *, complex_=False):
    """Gradients (B, 2, 3) and pairs; about a third of the pairs have negative curvature, some are zero."""
    rng = np.random.default_rng(seed)

    def images(*shape):
        x = rng.standard_normal(shape)
        return x + 1j * rng.standard_normal(shape) if complex_ else x

    gradient = images(problems, *SHAPE)
    steps = images(memory, problems, *SHAPE)
    changes = steps * rng.uniform(0.2, 3, steps.shape) + 0.3 * images(*steps.shape)
    changes = changes * rng.choice([1, 1, -1], (memory, problems, 1, 1))
    present = rng.random((memory, problems, 1, 1)) < 0.8
    return gradient, History(tuple(steps * present), tuple(changes * present))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 5), st.booleans())
def test_the_direction_is_that_of_the_dense_inverse_hessian(seed, problems, memory, complex_):
    gradient, history = random_problem(seed, problems, memory, complex_=complex_)
    found = two_loop(xp, gradient, history)
    for i in range(problems):
        pairs = [(s[i], y[i]) for s, y in zip(history.steps, history.changes, strict=True)]
        expected = dense_direction(gradient[i], pairs)
        np.testing.assert_allclose(as_reals(found[i]), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.booleans())
def test_it_always_goes_down(seed, memory, complex_):
    gradient, history = random_problem(seed, 4, memory, complex_=complex_)
    assert (inner_product(xp, gradient, two_loop(xp, gradient, history)) < 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 4))
def test_a_problem_goes_its_own_way_whatever_its_neighbours(seed, memory):
    gradient, history = random_problem(seed, 5, memory)
    together = two_loop(xp, gradient, history)
    for i in range(5):
        alone = History(tuple(s[i : i + 1] for s in history.steps), tuple(y[i : i + 1] for y in history.changes))
        np.testing.assert_allclose(two_loop(xp, gradient[i : i + 1], alone)[0], together[i], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("memory", [0, 3])
def test_without_pairs_it_is_steepest_descent(rng, memory):
    gradient = rng.standard_normal((2, *SHAPE))
    np.testing.assert_array_equal(two_loop(xp, gradient, History.empty(gradient, memory)), -gradient)


def test_with_enough_exact_pairs_it_is_newtons_step(rng):
    """On a quadratic with conjugate steps, n pairs determine the Hessian."""
    eigenvalues = rng.uniform(0.5, 4, SHAPE)
    basis = np.eye(6).reshape(6, 1, *SHAPE)
    history = History(tuple(basis), tuple(basis * eigenvalues))
    gradient = rng.standard_normal((1, *SHAPE))
    np.testing.assert_allclose(two_loop(xp, gradient, history), -gradient / eigenvalues, rtol=1e-12)


def test_the_newest_pair_takes_the_place_of_the_oldest(rng):
    a, b, c = rng.standard_normal((3, 1, *SHAPE))
    history = History.empty(a, 2).push(a, 2 * a).push(b, 2 * b).push(c, 2 * c)
    np.testing.assert_array_equal(history.steps, [b, c])
    np.testing.assert_array_equal(history.changes, [2 * b, 2 * c])
    again = History.of(history.arrays())
    np.testing.assert_array_equal(again.steps, history.steps)
    np.testing.assert_array_equal(again.changes, history.changes)
    assert History.empty(a, 0).push(a, a).arrays() == ()
