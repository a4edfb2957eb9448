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
    """Row, column and orientation of the paper's tiles in the paper's frame."""
    return np.stack([*p.corners((28, 28)).T, p.flipped])


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
    np.testing.assert_array_equal(shift.corners((28, 28)), both.corners((28, 28)))
    assert not shift.flipped.any()
    assert (flip.corners((28, 28)) == 7).all()


@pytest.mark.parametrize("variant", ["shift", "shift_flip"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_position_of_the_15_by_15_is_equally_likely(variant, seed):
    p = placements(variant, seed=seed, split="test", indices=MANY)
    counts = np.zeros((15, 15))
    np.add.at(counts, tuple(p.corners((28, 28)).T), 1)  # fails for a position outside
    expected = len(MANY) / 225
    assert ((counts - expected) ** 2 / expected).sum() < chi2.ppf(1 - 1e-6, 224)
    assert ((counts - expected) ** 2 / expected).sum() > chi2.ppf(1e-6, 224)  # nor more even than chance


@pytest.mark.parametrize("variant", ["flip", "shift_flip"])
def test_half_of_the_images_are_turned_whereever_they_lie(variant):
    p = placements(variant, seed=0, split="test", indices=MANY)
    margin = 5 * 0.5 / np.sqrt(len(MANY))
    assert abs(p.flipped.mean() - 0.5) < margin
    lower = p.corners((28, 28))[:, 0] > 7
    if lower.any():
        assert abs(p.flipped[lower].mean() - p.flipped[~lower].mean()) < 5 / np.sqrt(lower.sum())


@pytest.mark.parametrize("variant", list(Variant))
def test_a_placed_image_is_the_tile_or_its_conjugate_flip_and_nothing_else(rng, variant):
    tiles = rng.standard_normal((20, 5, 4)) + 1j * rng.standard_normal((20, 5, 4))
    where = placements(variant, seed=1, split="test", indices=np.arange(20))
    for frame, tile, (r, c), flipped in zip(
        place(tiles, where, (9, 9)), tiles, where.corners((5, 4), (9, 9)), where.flipped, strict=True
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


@pytest.mark.parametrize("variant", list(Variant))
@pytest.mark.parametrize("tile", [(1, 1), (20, 20), (32, 32), (41, 28), (42, 42)])
def test_a_tile_of_any_size_that_fits_lies_whole_in_the_frame(variant, tile):
    where = placements(variant, seed=2, split="test", indices=np.arange(50))
    frames = place(np.ones((50, *tile)), where)
    assert (frames.sum((1, 2)) == tile[0] * tile[1]).all()
    for axis, size in zip((2, 1), tile, strict=True):
        first = (frames.any(axis=axis)).argmax(axis=1)
        room = 42 - size
        if variant.shifts:
            assert room < 10 or first.min() < room / 4 < 3 * room / 4 < first.max()
        else:
            assert (first == room // 2).all()


@pytest.mark.parametrize(
    ("tiles", "message"),
    [
        (np.ones((1, 10, 3)), r"a tile of \(10, 3\) does not fit into a frame of \(9, 9\)"),
        (np.ones((2, 3, 3)), "1 placements for 2 tiles"),
        (np.ones((3, 3)), r"tiles must be \(N, h, w\), got shape \(3, 3\)"),
        (np.full((1, 3, 3), "a"), "tiles must be numbers"),
    ],
)
def test_tiles_that_cannot_be_placed_are_refused(tiles, message):
    with pytest.raises(ValueError, match=message):
        place(tiles, placements("none", seed=0, split="test", indices=[0]), (9, 9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variant": "mirror"}, "mirror"),
        ({"split": "validation"}, "unknown split 'validation': choose from train, test"),
        ({"indices": [-1]}, "indices must be between 0"),
        ({"indices": [0.5]}, "indices must be whole numbers"),
        ({"indices": 3}, r"indices must be \(batch,\)"),
    ],
)
def test_a_placement_that_means_nothing_is_refused(change, message):
    asked = {"variant": "none", "seed": 0, "split": "test", "indices": [0]} | change
    with pytest.raises(ValueError, match=message):
        placements(asked.pop("variant"), **asked)


def test_no_images_have_no_placements():
    assert fields(placements("shift_flip", seed=0, split="test", indices=[])).shape == (3, 0)
