"""The four variants of the paper: a 28×28 tile in a 42×42 frame, perhaps moved, perhaps turned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import conjugate_flip
from scipy.stats import chi2

from datasets import VARIANTS, Placement, Variant, measure, place, placements

MANY = np.arange(225 * 40)


def fields(p: Placement) -> np.ndarray:
    return np.stack([p.row, p.column, p.flipped])


def test_the_variants_stand_in_the_papers_order():
    assert tuple(VARIANTS) == tuple(Variant) == ("none", "flip", "shift", "shift_flip")


def test_without_symmetry_every_image_is_centred_with_seven_pixels_around(tiles):
    where = placements("none", seed=3, split="test", indices=np.arange(len(tiles)))
    frames = place(tiles, where)
    assert frames.shape == (len(tiles), 42, 42)
    np.testing.assert_array_equal(frames[:, 7:35, 7:35], tiles)
    assert frames.sum() == pytest.approx(tiles.sum())


@given(
    st.sampled_from(list(Variant)),
    st.integers(0, 2**40),
    st.sampled_from(["train", "test"]),
    st.lists(st.integers(0, 5000), min_size=1, max_size=30),
)
def test_a_placement_depends_on_seed_split_and_index_alone(variant, seed, split, indices):
    together = fields(placements(variant, seed=seed, split=split, indices=indices))
    alone = [fields(placements(variant, seed=seed, split=split, indices=[i])) for i in indices]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))


@pytest.mark.parametrize("other", [{"seed": 1, "split": "test"}, {"seed": 0, "split": "train"}])
def test_another_seed_or_split_places_the_images_differently(other):
    one = fields(placements("shift_flip", seed=0, split="test", indices=MANY))
    two = fields(placements("shift_flip", indices=MANY, **other))
    assert (one != two).any(axis=0).mean() > 0.9


def test_the_same_images_are_turned_and_moved_in_every_variant():
    flip, shift, both = (placements(v, seed=5, split="train", indices=MANY) for v in ("flip", "shift", "shift_flip"))
    np.testing.assert_array_equal(flip.flipped, both.flipped)
    np.testing.assert_array_equal(shift.row, both.row)
    np.testing.assert_array_equal(shift.column, both.column)
    assert not shift.flipped.any()
    assert (flip.row == 7).all()
    assert (flip.column == 7).all()


@pytest.mark.parametrize("variant", ["shift", "shift_flip"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_position_of_the_15_by_15_is_equally_likely(variant, seed):
    p = placements(variant, seed=seed, split="test", indices=MANY)
    counts = np.zeros((15, 15))
    np.add.at(counts, (p.row, p.column), 1)  # fails for a position outside
    expected = len(MANY) / 225
    assert ((counts - expected) ** 2 / expected).sum() < chi2.ppf(1 - 1e-6, 224)
    assert ((counts - expected) ** 2 / expected).sum() > chi2.ppf(1e-6, 224)  # nor more even than chance


@pytest.mark.parametrize("variant", ["flip", "shift_flip"])
def test_half_of_the_images_are_turned_whereever_they_lie(variant):
    p = placements(variant, seed=0, split="test", indices=MANY)
    margin = 5 * 0.5 / np.sqrt(len(MANY))
    assert abs(p.flipped.mean() - 0.5) < margin
    lower = p.row > 7
    if lower.any():
        assert abs(p.flipped[lower].mean() - p.flipped[~lower].mean()) < 5 / np.sqrt(lower.sum())


@pytest.mark.parametrize("variant", list(Variant))
def test_a_placed_image_is_the_tile_or_its_conjugate_flip_and_nothing_else(rng, variant):
    tiles = rng.standard_normal((20, 5, 4)) + 1j * rng.standard_normal((20, 5, 4))
    where = placements(variant, seed=1, split="test", indices=np.arange(20), tile=(5, 4), frame=(9, 9))
    for frame, tile, r, c, flipped in zip(
        place(tiles, where, (9, 9)), tiles, where.row, where.column, where.flipped, strict=True
    ):
        expected = np.zeros((9, 9), dtype=complex)
        expected[r : r + 5, c : c + 4] = conjugate_flip(tile) if flipped else tile
        np.testing.assert_array_equal(frame, expected)


@pytest.mark.filterwarnings("ignore:grid")
def test_all_variants_of_an_image_have_the_same_intensities(tiles):
    indices = np.arange(4)
    seen = [
        measure(place(tiles[:4], placements(v, seed=0, split="test", indices=indices))).intensities for v in Variant
    ]
    for other in seen[1:]:
        np.testing.assert_allclose(other, seen[0], atol=1e-9 * seen[0].max())


def test_a_tile_larger_than_its_frame_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        placements("none", seed=0, split="test", indices=[0], tile=(10, 3), frame=(9, 9))


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="mirror"):
        placements("mirror", seed=0, split="test", indices=[0])


def test_no_images_have_no_placements():
    assert fields(placements("shift_flip", seed=0, split="test", indices=[])).shape == (3, 0)
