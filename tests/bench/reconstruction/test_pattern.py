"""A measured pattern, wherever its centre is and whatever is missing, becomes the intensities that a solver knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import RequestError
from bench.reconstruction.extent import estimated_shape
from bench.reconstruction.pattern import by_symmetry, measured_by, prepare, read_centre, read_pattern
from datasets import forward


def pattern(rng, shape=(5, 4), grid=(20, 24), kind="complex"):
    """Intensities with the zero frequency at [0, 0], brightest there."""
    x = 1 + rng.random(shape) * (np.exp(1j * rng.random(shape)) if kind == "complex" else 1)
    return forward(x[None], grid)[0]


@pytest.mark.parametrize("grid", [(20, 24), (21, 17), (20, 17)])
@pytest.mark.parametrize("centre", ["auto", "corner"])
def test_a_pattern_from_the_corner_is_left_as_it_is(rng, grid, centre):
    y = pattern(rng, grid=grid)
    np.testing.assert_array_equal(prepare(y, centre=centre).intensities, y)


@pytest.mark.parametrize("grid", [(20, 24), (21, 17), (20, 17)])
@pytest.mark.parametrize("centre", ["auto", "middle"])
def test_a_pattern_in_the_middle_is_brought_to_the_corner(rng, grid, centre):
    y = pattern(rng, grid=grid)
    np.testing.assert_array_equal(prepare(np.fft.fftshift(y), centre=centre).intensities, y)


@given(row=st.integers(4, 26), column=st.integers(4, 20), seed=st.integers(0, 99))
def test_a_centre_anywhere_is_found_and_what_lies_beyond_the_border_is_not_measured(row, column, seed):
    rng = np.random.default_rng(seed)
    whole = np.fft.fftshift(pattern(rng, shape=(15, 12), grid=(61, 49)))  # zero frequency at 30, 24
    detector = whole[30 - row : 30 - row + 31, 24 - column : 24 - column + 25]
    missing = 1 - (31 - abs(15 - row)) * (25 - abs(12 - column)) / (31 * 25)
    if missing > 0.45:
        return
    found = prepare(detector, centre="auto")
    assert f"row {row}, column {column}" in found.notes[0]
    expected = np.fft.ifftshift(whole[15:46, 12:37])
    there = ~np.isnan(found.intensities)
    np.testing.assert_array_equal(found.intensities[there], expected[there])
    assert there[0, 0]
    np.testing.assert_allclose(1 - there.mean(), missing, atol=1e-12)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint64, np.float32])
def test_counts_of_any_type_are_intensities(rng, kind):
    y = rng.integers(0, 200, (8, 10)).astype(kind)
    y[0, 0] = 255
    found = prepare(y, centre="corner").intensities
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, y)


def test_negative_counts_become_zero_and_are_counted(rng):
    y = pattern(rng)
    y[3, 4], y[5, 6] = -2, -7
    found = prepare(y, centre="corner")
    assert "2 negative counts set to zero (the lowest was -7)" in found.notes
    assert found.intensities[3, 4] == found.intensities[5, 6] == 0


# ---- what is not measured


def test_what_a_mask_hides_is_not_measured_whatever_lies_there(rng):
    y = pattern(rng)
    mask = rng.random(y.shape) < 0.8
    hidden = np.where(mask, y, rng.choice([np.nan, np.inf, -5, 1e9], y.shape))
    found = prepare(hidden, masks=[mask], centre="corner").intensities
    np.testing.assert_array_equal(np.isnan(found), ~mask)
    np.testing.assert_array_equal(found[mask], y[mask])


def test_a_mask_is_named_by_a_word_a_value_or_a_file(rng, tmp_path):
    y = rng.integers(0, 50, (8, 10)).astype(np.int32)
    y[1, 2], y[3, 4], y[5, 5:7] = -1, -1, 99
    np.testing.assert_array_equal(measured_by("-1", y), y != -1)
    np.testing.assert_array_equal(measured_by("saturated", y), y != 99)
    assert measured_by("nan", y).all()
    holes = np.where(y == 99, np.nan, y)
    np.testing.assert_array_equal(measured_by("nan", holes), y != 99)
    dead = rng.random(y.shape) < 0.5
    np.save(tmp_path / "dead.npy", dead)
    np.testing.assert_array_equal(measured_by(str(tmp_path / "dead.npy"), y), dead)


def test_one_brightest_pixel_is_not_saturated_unless_its_type_ends_there(rng):
    y = rng.integers(0, 50, (8, 10)).astype(np.uint8)
    y[2, 2] = 200
    assert measured_by("saturated", y).all()
    y[2, 2] = 255
    assert not measured_by("saturated", y)[2, 2]


@pytest.mark.parametrize("centre", ["corner", "middle"])
def test_a_beamstop_is_a_disc_around_the_zero_frequency(rng, centre):
    y = pattern(rng)
    found = prepare(np.fft.fftshift(y) if centre == "middle" else y, centre=centre, beamstop=2).intensities
    k1, k2 = (np.fft.fftfreq(m, 1 / m) for m in y.shape)
    np.testing.assert_array_equal(np.isnan(found), np.hypot(k1[:, None], k2[None, :]) <= 2)


def test_where_the_middle_is_hidden_symmetry_tells_it(rng):
    y = np.fft.fftshift(pattern(rng, grid=(41, 33), kind="real"))[3:, :30]  # zero frequency at 17, 16
    y[15:20, 14:19] = np.nan
    assert by_symmetry(y) == (17, 16)
    found = prepare(y, centre="auto", real=True)
    assert "row 17, column 16" in found.notes[0]
    assert "symmetry" in found.notes[0]


# ---- crop and bin


def test_a_crop_keeps_the_low_frequencies(rng):
    y = pattern(rng, grid=(24, 30))
    found = prepare(y, centre="corner", crop=(12, 10)).intensities
    expected = np.fft.ifftshift(np.fft.fftshift(y)[6:18, 10:20])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("bin", [2, 3])
def test_binned_counts_are_sums(rng, bin):
    y = np.fft.fftshift(pattern(rng, grid=(31, 31)))
    found = np.fft.fftshift(prepare(y, centre="middle", bin=bin).intensities)
    n = 31 // bin
    assert found.shape == (n, n)
    first = 15 - bin * (n // 2) - bin // 2
    for i in range(1, n - 1):
        for j in range(1, n - 1):
            r, c = first + bin * i, first + bin * j
            np.testing.assert_allclose(found[i, j], y[r : r + bin, c : c + bin].sum())
    assert first + bin * (n // 2) + bin // 2 == 15, "the zero frequency is the middle of its bin"


def test_a_bin_of_which_a_pixel_is_missing_takes_the_mean_of_the_others(rng):
    y = np.full((8, 8), 5.0)
    y[4, 4] = np.nan
    y[0:2, 0:2] = np.nan
    found = np.fft.fftshift(prepare(y, centre="middle", bin=2).intensities)
    assert np.nanmin(found) == np.nanmax(found) == 20
    assert np.isnan(found).any()


# ---- what looks wrong, and what is


def test_a_centre_that_looks_wrong_is_told_with_the_option_that_mends_it(rng):
    y = pattern(rng, grid=(40, 40))
    (warning,) = prepare(np.fft.fftshift(y), centre="corner").warnings
    assert "--centre 20,20 or --centre auto" in warning
    (warning,) = prepare(y, centre="middle").warnings
    assert "--centre corner or --centre auto" in warning
    assert not prepare(y, centre="corner").warnings
    off = np.roll(np.fft.fftshift(y), 1, axis=0)
    assert not prepare(off, centre="middle").warnings, "a shift by one is a phase ramp on a complex object"
    assert prepare(off, centre="middle", real=True).warnings


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"masks": [np.zeros((20, 24), dtype=bool)]}, "all of it is masked"),
        ({}, {"masks": [np.ones((24, 20), dtype=bool)]}, r"a mask has the shape \(24, 20\), the pattern \(20, 24\)"),
        ({}, {"masks": [np.arange(480).reshape(20, 24) < 200]}, "half of it is needed"),
        ({"fill": np.nan}, {}, "all of it is masked"),
        ({"fill": 0}, {}, "the pattern is dark"),
        ({"fill": -1}, {}, "the pattern is dark"),
        ({"fill": np.inf}, {}, "480 counts are infinite: leave them out with --mask inf"),
        ({}, {"centre": (20, 3)}, "--centre 20,3 lies outside the pattern of 20x24"),
        ({}, {"centre": (0, 23)}, "half of it is needed"),
        ({}, {"crop": (30, 20), "centre": "middle"}, "--crop 30x20 is larger than the pattern of 20x24"),
        ({}, {"bin": 15, "centre": "middle"}, "--bin 15 leaves less than 2x2"),
    ],
)
def test_what_cannot_be_used_is_refused(rng, change, options, message):
    y = pattern(rng)
    if change:
        y[:] = change["fill"]
    with pytest.raises(RequestError, match=message):
        prepare(y, **options)


def test_a_place_is_a_word_or_two_numbers():
    assert read_centre(" 12, 7 ") == (12, 7)
    assert read_centre("middle") == "middle"
    for text in ("left", "1", "1,2,3", "-1,2", ""):
        with pytest.raises(RequestError, match="choose auto, corner, middle, or write ROW,COL"):
            read_centre(text)


# ---- the size of the object


@pytest.mark.parametrize("shape", [(12, 8), (20, 20), (7, 15)])
def test_an_object_is_estimated_a_little_larger_than_it_is(rng, shape):
    y = forward(0.5 + rng.random((1, *shape)), (64, 60))[0]
    for n, found in zip(shape, estimated_shape(y), strict=True):
        assert n <= found <= 1.3 * n + 2


@pytest.mark.parametrize("photons", [None, 1e7, 1e6])
def test_faint_ends_of_an_object_are_estimated_with_it(rng, photons):
    rows, columns = np.indices((39, 37))
    x = 0.05 + np.exp(-(((rows - 19) / 9) ** 2) - ((columns - 18) / 8) ** 2)
    y = forward(x[None], (128, 128))[0]
    if photons is not None:
        y = rng.poisson(y * photons / y.sum()).astype(float)
    for n, found in zip(x.shape, estimated_shape(y), strict=True):
        assert n <= found <= 1.3 * n


def test_an_object_is_never_estimated_larger_than_half_the_grid(rng):
    assert estimated_shape(rng.random((32, 40))) <= (16, 20)
    assert min(estimated_shape(np.ones((32, 40)))) >= 2


def test_counts_are_added_up_over_one_or_more_rows(rng):
    with pytest.raises(RequestError, match="--bin: 0 is not positive"):
        prepare(pattern(rng), bin=0)


def test_a_text_of_half_a_plane_holds_one_pattern(tmp_path):
    (tmp_path / "data1E").write_text("1\n2\n")
    assert read_pattern(str(tmp_path / "data1E"))[0].shape == (2, 2)
    with pytest.raises(RequestError, match=r"--slice 3: .* holds one pattern"):
        read_pattern(str(tmp_path / "data1E"), 3)
