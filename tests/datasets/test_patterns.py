"""Measured patterns: what is read of files, in whatever orientation, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from datasets import DatasetError, PatternSet, load_data, load_images


@pytest.fixture
def counts(rng) -> np.ndarray:
    """Three patterns (3, 9, 12) with the zero frequency in the middle; of two pixels nothing is known."""
    found = rng.integers(1, 1000, (3, 9, 12)).astype(np.float64)
    found[:, 4, 6:8] = np.nan
    return found


@pytest.fixture
def read(tmp_path):
    """The patterns of an array in a file."""

    def call(array: np.ndarray, **parameters: object) -> PatternSet:
        np.save(tmp_path / "scan.npy", array)
        given = {"path": tmp_path / "scan.npy", "object": "4x5", **parameters}
        found = load_data(f"patterns[{','.join(f'{key}={value}' for key, value in given.items())}]")
        assert isinstance(found, PatternSet)
        return found

    return call


def test_the_zero_frequency_goes_to_the_corner(read, counts):
    np.testing.assert_array_equal(read(counts).intensities[:, 0, 0], counts[:, 4, 6])
    np.testing.assert_array_equal(read(counts).intensities, scipy.fft.ifftshift(counts, axes=(1, 2)))
    np.testing.assert_array_equal(read(counts, centre="corner").intensities, counts)


def test_one_orientation_or_the_other_makes_the_same_patterns(read, counts):
    turned = read(scipy.fft.ifftshift(counts, axes=(1, 2)), centre="corner")
    assert turned.digest == read(counts).digest


def test_what_is_masked_in_a_file_is_as_what_is_nan(read, counts, tmp_path):
    np.save(tmp_path / "mask.npy", ~np.isnan(counts[0]))
    np.save(tmp_path / "masks.npy", ~np.isnan(counts))
    filled = np.nan_to_num(counts, nan=1e9)
    for mask in ("mask.npy", "masks.npy"):
        assert read(filled, mask=tmp_path / mask).digest == read(counts).digest
    assert read(filled).digest != read(counts).digest


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint32, np.float32, ">f8"])
def test_counts_have_any_real_type(read, counts, dtype):
    whole = np.nan_to_num(counts) % 200
    np.testing.assert_array_equal(
        read(whole.astype(dtype), centre="corner").intensities, whole.astype(dtype).astype(float)
    )


def test_a_folder_is_read_in_the_order_of_names_and_a_stack_in_its_own(tmp_path, read, counts):
    whole = np.nan_to_num(counts).astype(np.float32)
    (tmp_path / "folder").mkdir()
    for name, pattern in zip("bca", whole[[1, 2, 0]], strict=True):
        Image.fromarray(pattern).save(tmp_path / "folder" / f"{name}.tif")
    assert read(whole, path=tmp_path / "folder").digest == read(whole).digest
    assert len(read(whole[1])) == 1


def test_negative_counts_become_zero_and_are_told(read, counts):
    counts[1, 0, :3] = -7
    found = read(counts, centre="corner")
    assert (found.intensities[1, 0, :3] == 0).all()
    assert "(pattern 1): 3 negative counts set to zero (the lowest was -7)" in found.source


def test_a_measurement_knows_what_the_label_says(read, counts):
    found = read(counts, real="true")
    chosen = found.measurement(np.array([2, 0]))
    np.testing.assert_array_equal(chosen.intensities, found.intensities[[2, 0]])
    assert chosen.indices.tolist() == [2, 0]
    assert (chosen.object_shape, chosen.real, chosen.nonnegative.all()) == ((4, 5), True, True)
    assert not read(counts).measurement(np.array([0])).nonnegative.any(), "complex objects are not"


def test_the_problem_says_what_is_true(read, counts):
    problem = read(counts).problem
    assert (problem.variant, problem.object, problem.frame, problem.grid) == ("none", "complex", (4, 5), (9, 12))
    assert (problem.mask, problem.beamstop) == ("given", 0)
    assert read(np.nan_to_num(counts), real="true").problem.mask == "none"
    with pytest.raises(ValueError, match="images have none"):
        problem.model_copy(update={"frame": (42, 42)}).check(load_images("sample"))


@pytest.mark.parametrize(
    ("change", "parameters", "words"),
    [
        (lambda y: y * 1j, {}, "real numbers are expected"),
        (lambda y: y[0, 0], {}, "a pattern is (rows, columns)"),
        (lambda y: y[:0], {}, "a pattern is (rows, columns)"),
        (lambda y: 0 * y, {}, "(pattern 0): the pattern is dark"),
        (lambda y: y + np.where(np.arange(12) == 3, np.inf, 0), {}, "9 counts are infinite"),
        (lambda y: np.where(np.arange(12) < 7, np.nan, y), {}, "was not measured, half of it is needed"),
        (lambda y: np.nan * y, {}, "all of it is masked"),
        (lambda y: y, {"object": "10x4"}, "an object of 10x4 does not fit"),
        (lambda y: y, {"object": "0"}, "object = 0"),
        (lambda y: y, {"centre": "left"}, "centre = left"),
        (lambda y: y, {"path": "/nowhere.npy"}, "/nowhere.npy cannot be read"),
        (lambda y: y, {"mask": "/nowhere.npy"}, "/nowhere.npy cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(read, counts, change, parameters, words):
    with pytest.raises(DatasetError) as refused:
        read(change(counts), **parameters)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_mask_that_is_neither_zero_nor_a_number_in_places_is_refused(read, counts, tmp_path):
    np.save(tmp_path / "mask.npy", np.where(np.arange(12) == 3, np.nan, np.ones((9, 12))))
    with pytest.raises(DatasetError, match=r"mask.npy has NaN in places"):
        read(counts, mask=tmp_path / "mask.npy")


def test_patterns_of_two_sizes_and_a_mask_of_another_are_refused(read, counts, tmp_path):
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "a.npy", counts[0])
    np.save(tmp_path / "folder" / "b.npy", counts[0, 1:])
    with pytest.raises(DatasetError, match=r"b.npy has the shape \(8, 12\), but .*a.npy \(9, 12\)"):
        read(counts, path=tmp_path / "folder")
    np.save(tmp_path / "mask.npy", np.ones((3, 3)))
    with pytest.raises(DatasetError, match=r"mask.npy has the shape \(3, 3\), the patterns \(3, 9, 12\)"):
        read(counts, mask=tmp_path / "mask.npy")


def test_nothing_can_be_learned_from_patterns_without_objects(read, counts):
    label = read(counts).name
    with pytest.raises(DatasetError, match="has no train patterns"):
        load_data(label, "train")
    with pytest.raises(DatasetError, match="has measured patterns, but images are needed"):
        load_images(label)
