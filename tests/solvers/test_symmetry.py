"""Symmetry breaking: one canonical form for all objects with the same intensities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles import conjugate_flip, fourier_matrix

from datasets import load_images, place, placements
from solvers import symmetry

GRID = (14, 15)
FRAME = (12, 11)
RULES = [(symmetry.VERTICAL_INDEX, "box"), (symmetry.PAPER_INDEX, "box"), (symmetry.PAPER_INDEX, "centroid")]

real_contents = arrays(np.float64, (5, 4), elements=st.integers(0, 9).map(float))
complex_contents = st.builds(
    lambda re, im: re + 1j * im, real_contents, arrays(np.float64, (5, 4), elements=st.integers(-9, 9).map(float))
)
contents = st.one_of(real_contents, complex_contents)
corners = st.tuples(st.integers(0, FRAME[0] - 5), st.integers(0, FRAME[1] - 4))


def framed(content, corner):
    frame = np.zeros((1, *FRAME), dtype=content.dtype)
    frame[0, corner[0] : corner[0] + 5, corner[1] : corner[1] + 4] = content
    return frame


def canonical_spectrum(objects, grid, **rule):
    """The centred spectrum of the objects, turned by the rule."""
    centring = {name: value for name, value in rule.items() if name == "centring"}
    spectrum = symmetry.transfer_phase(symmetry.centred_spectrum(objects, grid, **centring))
    lower = symmetry.in_lower_half(objects, grid, **rule)
    return np.where(lower[:, None, None], np.conj(spectrum), spectrum)


@pytest.mark.parametrize(("deciding", "centring"), RULES)
@given(content=contents, start=corners, end=corners, flip=st.booleans(), angle=st.floats(-np.pi, np.pi))
def test_a_shifted_flipped_phase_turned_copy_has_the_same_canonical_form(
    deciding, centring, content, start, end, flip, angle
):
    assume(abs(content.sum()) > 0.1)  # Ω(1,1) is undefined where the mean is zero
    one = framed(content, start)
    moved = framed(conjugate_flip(content) if flip else content, end)
    if centring == "centroid":  # exactly half-way between two pixels, rounding can go either way
        mass = np.abs(content)
        for axis in (0, 1):
            mean = (mass.sum(axis=1 - axis) @ np.arange(mass.shape[axis])) / mass.sum()
            assume(abs(mean % 1 - 0.5) > 1e-6)
    other = moved * np.exp(1j * angle)
    mine = canonical_spectrum(one, GRID, deciding=deciding, centring=centring)
    theirs = canonical_spectrum(other, GRID, deciding=deciding, centring=centring)
    np.testing.assert_allclose(mine, theirs, atol=1e-9 * np.abs(content).sum())


@pytest.mark.parametrize(("deciding", "centring"), RULES)
@given(content=contents, corner=corners)
def test_the_canonical_form_lies_in_r(deciding, centring, content, corner):
    """Eq. 2.1: Ω(1,1) = 1 and the deciding phase is not below the real axis, beyond rounding."""
    assume(abs(content.sum()) > 0.1)
    spectrum = canonical_spectrum(framed(content, corner), GRID, deciding=deciding, centring=centring)[0]
    assert symmetry.unit(spectrum)[0, 0] == pytest.approx(1)
    assert spectrum[deciding].imag >= -1e-10 * np.abs(content).sum()


@pytest.mark.parametrize(("deciding", "centring"), RULES)
@given(content=contents, corner=corners)
def test_a_canonical_object_is_left_as_it_is(deciding, centring, content, corner):
    once = symmetry.orient(framed(content, corner), (24, 25), deciding=deciding, centring=centring)
    once = symmetry.recentre(once, (24, 25), centring)
    twice = symmetry.orient(once, (24, 25), deciding=deciding, centring=centring)
    np.testing.assert_array_equal(symmetry.recentre(twice, (24, 25), centring), once)


@given(content=contents, corner=corners)
def test_the_canonical_form_has_the_same_intensities(content, corner):
    x = framed(content, corner)
    canonical = canonical_spectrum(x, GRID)
    literal = fourier_matrix(GRID[0], FRAME[0]) @ x[0] @ fourier_matrix(GRID[1], FRAME[1]).T
    np.testing.assert_allclose(np.abs(canonical[0]), np.abs(literal), atol=1e-9 * (1 + np.abs(content).sum()))


def test_centring_moves_the_middle_of_the_content_to_the_origin():
    """About its own centre, half pixels included, the spectrum of a symmetric content is real."""
    bar = np.zeros((1, *FRAME))
    bar[0, 2:6, 3:8] = 1
    np.testing.assert_array_equal(symmetry.centre(bar), [[3.5, 5.0]])
    spectrum = symmetry.centred_spectrum(bar, (15, 15))
    np.testing.assert_allclose(spectrum.imag, 0, atol=1e-12)


def test_a_deciding_phase_on_the_real_axis_hands_over_to_the_next_one():
    """Ω(2,1) is blind to a left-right asymmetry: the first telling phase decides in its place."""
    x = np.zeros((1, *FRAME))
    x[0, 2:5, 2:6] = [3.0, 1.0, 1.0, 2.0]
    assert abs(symmetry.centred_spectrum(x, GRID)[0, 1, 0].imag) < 1e-12
    both = np.concatenate([x, conjugate_flip(x)])
    assert sorted(symmetry.in_lower_half(both, GRID)) == [False, True]


def test_an_object_that_is_its_own_flip_needs_no_decision():
    x = np.zeros((1, *FRAME))
    x[0, 2:6, 3:8] = 1
    assert not symmetry.in_lower_half(x, GRID)[0]


def test_an_empty_object_has_a_canonical_form():
    assert not canonical_spectrum(np.zeros((1, *FRAME)), GRID).any()


def test_the_first_phase_cannot_decide_the_flip():
    with pytest.raises(ValueError, match="cannot decide"):
        symmetry.in_lower_half(np.ones((1, 3, 3)), GRID, deciding=(0, 0))


def test_a_content_larger_than_the_frame_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 3\) does not fit"):
        symmetry.recentre(np.ones((1, 3, 3)), (2, 4))


def test_the_vertical_index_is_better_conditioned_than_the_papers_on_fashion_images():
    """Fact behind the default: the median deciding angle at Ω(2,1) is several times that at Ω(1,2)."""
    frames = place(load_images("sample").tiles(), placements("none", seed=0, split="test", indices=np.arange(1000)))
    phases = symmetry.unit(symmetry.centred_spectrum(frames[:300], (96, 96)))
    vertical, paper = (np.median(np.abs(np.angle(phases[(slice(None), *i)]))) for i in ((1, 0), (0, 1)))
    assert vertical > 2 * paper


def test_with_the_origin_at_the_corner_the_papers_rule_breaks_nothing():
    """The corner decides, not the object: the phase ramp of a centred frame puts every deciding angle on one side."""
    frames = place(
        load_images("sample").tiles()[:200], placements("flip", seed=0, split="test", indices=np.arange(200))
    )
    corner = np.sign(np.fft.fft2(frames, s=(96, 96))[:, 0, 1].imag)
    centred = np.sign(symmetry.centred_spectrum(frames, (96, 96))[:, 0, 1].imag)
    assert abs(corner.sum()) == 200
    assert abs(centred.sum()) < 100
