"""Starts that differ by shift, conjugate flip and phase are the same."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.composed.registration import centred, distance, register


def objects(seed, kind="complex", grid=(16, 15)):
    rng = np.random.default_rng(seed)
    x = np.zeros(grid, dtype=complex if kind == "complex" else float)
    x[3:9, 2:8] = rng.random((6, 6)) + (1j * rng.random((6, 6)) if kind == "complex" else 0)
    return x


@given(
    seed=st.integers(0, 999),
    kind=st.sampled_from(["real", "complex"]),
    shift=st.tuples(st.integers(-20, 20), st.integers(-20, 20)),
    turned=st.booleans(),
    phase=st.floats(0, 6.28),
    scale=st.floats(0.1, 10),
)
def test_the_symmetries_of_the_problem_are_undone(seed, kind, shift, turned, phase, scale):
    x = objects(seed, kind)
    copy = np.roll(oracles.conjugate_flip(x) if turned else x, shift, (0, 1))
    factor = np.exp(1j * phase) if kind == "complex" else np.sign(np.cos(phase) + 1e-9)
    found = register(x, scale * factor * copy)
    np.testing.assert_allclose(found.image, scale * x, atol=1e-9 * scale)
    assert found.error < 1e-12
    assert distance(x, scale * factor * copy) == found.error
    assert found.flipped == turned
    assert np.iscomplexobj(found.image) == (kind == "complex")


@given(seed=st.integers(0, 999), rows=st.integers(-200, 200), columns=st.integers(-200, 200))
def test_a_shift_by_a_part_of_a_pixel_is_undone(seed, rows, columns):
    x, shift = objects(seed), (rows / 20, columns / 20)
    k1, k2 = (np.fft.fftfreq(m) for m in x.shape)
    ramp = np.exp(-2j * np.pi * (k1[:, None] * shift[0] + k2[None, :] * shift[1]))
    found = register(x, np.fft.ifft2(np.fft.fft2(x) * ramp))
    np.testing.assert_allclose(found.image, x, atol=1e-9)
    assert found.error < 1e-12


def test_the_error_is_that_of_the_best_copy_by_a_literal_scan():
    a, b = objects(1, grid=(9, 10)), objects(2, grid=(9, 10))
    copies = [
        np.roll(one, (r, c), (0, 1)) for one in (b, oracles.conjugate_flip(b)) for r in range(9) for c in range(10)
    ]
    literal = min(oracles.best_fit_error(a, copy) for copy in copies) / np.linalg.norm(a) ** 2
    found = register(a, b).error
    assert 0 < found <= literal + 1e-12, "a part of a pixel can only be better"
    assert found > literal - 0.1


def test_nothing_is_like_nothing():
    x = objects(0)
    assert register(x, 0 * x).error == 1
    assert register(0 * x, x).error == 1


@pytest.mark.parametrize("shift", [(0, 0), (5, 9), (-8, 3)])
def test_the_centre_of_mass_goes_to_the_middle(shift):
    x = np.zeros((16, 15))
    x[3:6, 2:5] = 1
    x = np.roll(x, shift, (0, 1))
    moved = np.roll(x, centred(x), (0, 1))
    assert moved[7:10, 6:9].all() or moved[8:11, 6:9].all() or moved[7:10, 7:10].all()
