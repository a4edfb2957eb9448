"""Reconstructions of one pattern agree if a shift, a flip and a phase are all that tells them apart."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.score.agreement import agreement

GRID = (16, 20)


def an_object(seed: int) -> np.ndarray:
    """A complex object in a box of 6 by 7, on the grid."""
    rng = np.random.default_rng(seed)
    image = np.zeros(GRID, complex)
    image[:6, :7] = rng.random((6, 7)) * np.exp(1j * rng.random((6, 7)))
    return image


def moved(image: np.ndarray, shift: tuple[int, int], flipped: bool, phase: float) -> np.ndarray:
    turned = np.conj(image[::-1, ::-1]) if flipped else image
    return np.roll(turned, shift, (0, 1)) * np.exp(1j * phase)


@given(st.tuples(st.integers(0, 15), st.integers(0, 19)), st.booleans(), st.floats(0, 6), st.integers(0, 99))
def test_what_a_pattern_cannot_tell_apart_agrees(shift, flipped, phase, seed):
    image = an_object(seed)
    assert agreement(np.stack([image, moved(image, shift, flipped, phase)]), np.array([0.1, 0.1])) == 1


def test_it_is_the_share_of_the_others_that_agree_with_the_best():
    one, other = an_object(1), np.random.default_rng(2).standard_normal(GRID)
    images = np.stack([one, other, moved(one, (3, 4), True, 1.0), one])
    assert agreement(images, np.array([0.1, 0.2, 0.3, 0.4])) == 2 / 3
    assert agreement(images, np.array([0.2, 0.1, 0.3, 0.4])) == 0, "the best one is the odd one"


def test_a_reconstruction_that_diverged_agrees_with_nothing():
    images = np.stack([an_object(1)] * 3)
    assert agreement(images, np.array([0.1, np.nan, 0.1])) == 1 / 2
    assert agreement(np.where(np.arange(3)[:, None, None] == 0, np.nan, images), np.full(3, 0.1)) == 1 / 2
    assert agreement(images, np.full(3, np.nan)) == 0


def test_one_reconstruction_alone_says_nothing():
    assert np.isnan(agreement(an_object(1)[None], np.array([0.1])))
