"""What a solver is given: validated intensities with a name, and Poisson noise that belongs to the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import Measurement, forward, measure


def measurement(intensities: np.ndarray, **others) -> Measurement:
    return Measurement(intensities, (3, 3), np.arange(len(intensities)), **others)


def test_a_measurement_says_what_is_known_of_its_objects(rng):
    x = rng.random((4, 3, 5))
    assert measure(x, grid=(6, 11)).object_shape == (3, 5)
    assert measure(x, grid=(6, 11)).grid == (6, 11)
    for objects, real, nonnegative in ((x, True, True), (x - 0.5, True, False), (x * 1j, False, False)):
        measured = measure(objects, grid=(6, 11))
        assert measured.real is real
        assert measured.nonnegative.tolist() == [nonnegative] * 4


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e100])
def test_each_object_is_known_to_be_nonnegative_by_itself(rng, scale):
    x = rng.random((5, 3, 3))
    x[1, 0, 0] = -1e-17  # the rounding error of whoever made the object
    x[2, 0, 0] = -1e-3
    x[3, 1, 1] = np.nan
    x[4] = 0
    measured = measure(scale * x, grid=(6, 6))
    assert measured.nonnegative.tolist() == [True, True, False, False, True]
    assert measured[np.array([2, 0])].nonnegative.tolist() == [False, True]
    assert measured[1:3].nonnegative.tolist() == [True, False]
    alone = [measure(scale * x[i : i + 1], grid=(6, 6)).digests() for i in range(5)]
    assert [[digest] for digest in measured.digests()] == alone


def test_single_precision_has_larger_rounding_errors(rng):
    x = rng.random((2, 3, 3)).astype(np.float32)
    x[:, 0, 0] = -2e-7 * x.max(), -1e-3
    assert measure(x, grid=(6, 6)).nonnegative.tolist() == [True, False]
    assert measure(x.astype(np.float64), grid=(6, 6)).nonnegative.tolist() == [False, False]


@pytest.mark.parametrize("kind", [bool, np.uint16, np.int32, np.float32, np.longdouble, list])
def test_intensities_of_any_real_kind_are_the_same_measurement(rng, kind):
    y = rng.integers(0, 2, (3, 6, 6)).astype(float)
    known = measurement(y)
    given_so = measurement(y.tolist() if kind is list else y.astype(kind))
    assert given_so.intensities.dtype == np.float64
    assert given_so.indices.dtype == np.int64
    assert given_so.digests() == known.digests()


def test_half_precision_does_not_give_two_measurements_one_name():
    y = np.full((2, 6, 6), 1e3, dtype=np.float16)
    y[1] += 1
    assert len(set(measurement(y).digests())) == 2


@pytest.mark.parametrize("shape", [(3, 3), [3, 3], np.array([3, 3]), (np.int64(3), np.uint8(3))])
def test_an_objects_shape_has_one_name(shape):
    y = np.ones((1, 6, 6))
    assert Measurement(y, shape, [0]).object_shape == (3, 3)
    assert Measurement(y, shape, [0]).digest() == Measurement(y, (3, 3), np.arange(1)).digest()


def test_the_paper_measures_42_samples_on_96(tiles):
    assert measure(np.zeros((1, 42, 42))).grid == (96, 96)


def test_a_measurement_does_not_hold_the_object(rng):
    x = rng.random((2, 3, 3))
    held = [v for v in vars(measure(x, grid=(6, 6))).values() if isinstance(v, np.ndarray)]
    assert all(array.shape != x.shape and not np.shares_memory(array, x) for array in held)


@pytest.mark.parametrize(
    ("intensities", "indices", "message"),
    [
        (np.ones((6, 6)), np.arange(6), r"must be \(batch, m1, m2\)"),
        (np.ones((2, 6, 6)), np.arange(3), "3 indices for 2 images"),
        (np.ones((2, 2, 6)), np.arange(2), "cannot measure 3 samples on a grid of 2"),
        (np.ones((2, 6, 6)) * 1j, np.arange(2), "intensities must be real numbers, got an array of complex128"),
        ([[["bright"]]], [0], "intensities must be real numbers, got an array of <U6"),
        (np.full((1, 6, 6), None), [0], "intensities must be real numbers, got an array of object"),
        ([[[1.0], [1.0, 2.0]]], [0], "intensities are no array"),
        (7, [0], r"must be \(batch, m1, m2\), got shape \(\)"),
        (np.ones((2, 6, 6)), [0.0, 1.0], "indices must be whole numbers, got an array of float64"),
        (np.ones((2, 6, 6)), ["0", "1"], "indices must be whole numbers"),
        (np.ones((2, 6, 6)), [0, -1], "indices must be between 0 and"),
        (np.ones((2, 6, 6)), np.array([0, 2**63], dtype=np.uint64), "indices must be between 0 and"),
        (np.ones((2, 6, 6)), [[0, 1]], r"indices must be \(batch,\), got shape \(1, 2\)"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(intensities, indices, message):
    with pytest.raises(ValueError, match=message):
        Measurement(intensities, (3, 3), indices)


@pytest.mark.parametrize("shape", [(3,), (3, 3, 3), (0, 3), (3, -1), (3.0, 3), (3, "3"), 3, None, "33"])
def test_an_objects_shape_is_two_whole_positive_numbers(shape):
    with pytest.raises(ValueError, match="object_shape must be two whole positive numbers, got"):
        Measurement(np.ones((1, 6, 6)), shape, [0])


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"real": "no"}, "real must be true or false, got 'no'"),
        ({"real": None}, "real must be true or false"),
        ({"nonnegative": "no"}, "nonnegative must be true or false, for all or for each image"),
        ({"nonnegative": [True, False]}, "nonnegative must be true or false, for all or for each image"),
        ({"nonnegative": 0.5}, "nonnegative must be true or false, for all or for each image"),
    ],
)
def test_what_is_known_is_true_or_false(known, message):
    with pytest.raises(ValueError, match=message):
        measurement(np.ones((1, 6, 6)), **known)


def test_no_images_are_a_measurement_too():
    assert len(measure(np.empty((0, 3, 3)), grid=(6, 6))) == 0
    assert Measurement(np.empty((0, 6, 6)), (3, 3), []).indices.dtype == np.int64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"indices": [0]}, "1 indices for 2 images"),
        ({"indices": [0, -1]}, "indices must be between 0 and"),
        ({"indices": [0, 0.5]}, "indices must be whole numbers"),
        ({"photons": 1e4, "split": "validation"}, "unknown split 'validation': choose from train, test"),
    ],
)
def test_a_measurement_that_means_nothing_is_not_made(options, message):
    with pytest.raises(ValueError, match=message):
        measure(np.ones((2, 3, 3)), grid=(6, 6), **options)


def test_an_image_can_be_reconstructed_if_finite_nonnegative_not_dark_and_half_measured():
    y = np.ones((8, 6, 6))
    y[1, 2, 3] = -np.inf
    y[2, 0, 0] = np.inf
    y[3, 5, 5] = -1e-9
    y[4] = 0
    y[5] = 0
    y[5, 0, 0] = 1e-300
    y[6, :3] = np.nan
    y[7, :3] = y[7, 3, 0] = np.nan
    assert measurement(y).valid().tolist() == [True, False, False, False, False, True, True, False]
    assert measurement(y).whole().tolist() == [True] * 6 + [False] * 2


def test_what_was_not_measured_has_a_name_of_its_own_and_no_other_number_counts_there():
    y = np.ones((3, 6, 6))
    y[1, 2, 3], y[2, 2, 3] = np.nan, 0
    assert len(set(measurement(y).digests())) == 3
    masked = [measure(np.ones((1, 3, 3)), grid=(6, 6), mask=np.arange(36).reshape(6, 6) != 8) for _ in range(2)]
    assert masked[0].digests() == masked[1].digests()
    assert np.argwhere(~masked[0].measured[0]).tolist() == [[1, 2]]


@pytest.mark.parametrize("mask", [np.ones((6, 5), bool), np.ones((6, 6)), [[True]]])
def test_a_mask_is_true_or_false_in_the_shape_of_the_grid(mask):
    with pytest.raises(ValueError, match="mask must be true or false"):
        measure(np.ones((1, 3, 3)), grid=(6, 6), mask=mask)


def test_a_part_of_a_measurement_keeps_the_names_of_its_images(rng):
    whole = measure(rng.random((6, 3, 3)), grid=(6, 6), indices=np.arange(10, 16))
    part = whole[np.array([4, 1])]
    assert part.indices.tolist() == [14, 11]
    np.testing.assert_array_equal(part.intensities, whole.intensities[[4, 1]])
    assert part.digests() == [whole.digests()[4], whole.digests()[1]]
    assert whole[2:4].indices.tolist() == [12, 13]


def test_equal_measurements_have_equal_names_whatever_their_index(rng):
    x = rng.random((3, 3, 3))
    here, there = measure(x, grid=(6, 6)), measure(x, grid=(6, 6), indices=np.array([7, 8, 9]))
    assert here.digests() == there.digests()
    assert here.digest() == there.digest()
    assert len(set(here.digests())) == 3
    assert all(len(digest) == 64 for digest in here.digests())


@pytest.mark.filterwarnings("ignore:grid")
def test_anything_that_changes_the_problem_changes_the_name(rng):
    x = rng.random((1, 3, 3))
    base = measure(x, grid=(6, 6))
    others = [
        measure(2 * x, grid=(6, 6)),
        measure(x * (1 + 1e-4), grid=(6, 6)),
        measure(x, grid=(6, 7)),
        measure(np.pad(x, ((0, 0), (0, 1), (0, 0))), grid=(6, 6)),
        measure(x.astype(complex), grid=(6, 6)),
        measure(x, grid=(6, 6), photons=1e6),
        measure(x, grid=(6, 6), photons=1e6, seed=1),
        Measurement(base.intensities, (3, 3), base.indices, nonnegative=False),
    ]
    assert len({m.digest() for m in [base, *others]}) == 1 + len(others)


def test_the_order_of_a_batch_is_part_of_its_name(rng):
    whole = measure(rng.random((2, 3, 3)), grid=(6, 6))
    assert whole.digest() != whole[np.array([1, 0])].digest()


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_the_rounding_of_another_fft_does_not_change_the_name(seed, scale):
    rng = np.random.default_rng(seed)
    y = forward(scale * rng.random((1, 5, 5)), (12, 12))
    rounded = y * (1 + 1e-13 * rng.uniform(-1, 1, y.shape))
    assert Measurement(rounded, (5, 5), np.arange(1)).digests() == Measurement(y, (5, 5), np.arange(1)).digests()


def test_measurements_that_no_detector_should_give_still_have_names():
    y = np.stack([np.full((6, 6), np.nan), np.zeros((6, 6)), np.full((6, 6), -1e12), np.full((6, 6), -2e12)])
    assert len(set(measurement(y).digests())) == 4


# ---- noise


def counts(noisy: Measurement, clean: Measurement, photons: float) -> np.ndarray:
    total = clean.intensities.sum(axis=(1, 2), keepdims=True)
    return noisy.intensities * photons / total


def test_noisy_intensities_are_whole_photons(rng):
    x = rng.random((5, 4, 4))
    seen = counts(measure(x, grid=(8, 8), photons=5e3), measure(x, grid=(8, 8)), 5e3)
    np.testing.assert_allclose(seen, np.rint(seen), atol=1e-8)
    assert (np.rint(seen) >= 0).all()


def test_photons_arrive_with_the_mean_and_the_variance_of_a_poisson_process(rng):
    copies, photons = 500, 1e5
    x = np.repeat(rng.random((1, 4, 4)), copies, axis=0)
    clean = measure(x, grid=(8, 8))
    seen = counts(measure(x, grid=(8, 8), photons=photons), clean, photons)
    rate = counts(clean, clean, photons)[0]
    np.testing.assert_allclose(seen.sum((1, 2)).mean(), photons, rtol=5 / np.sqrt(photons * copies))
    bright = rate > 50
    assert bright.sum() > 20
    pulls = (seen[:, bright] - rate[bright]) / np.sqrt(rate[bright])
    assert abs(pulls.mean()) < 5 / np.sqrt(pulls.size)
    assert abs((pulls**2).mean() - 1) < 5 * np.sqrt(2.1 / pulls.size)
    np.testing.assert_allclose((pulls**2).mean(axis=0), 1, atol=6 * np.sqrt(2.1 / copies))


@given(st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True))
def test_an_image_gets_the_same_photons_in_any_batch(order):
    x = np.random.default_rng(4).random((8, 4, 4))
    whole = measure(x, grid=(8, 8), photons=1e4, seed=3)
    part = measure(x[order], grid=(8, 8), photons=1e4, seed=3, indices=np.array(order))
    np.testing.assert_allclose(part.intensities, whole.intensities[order], rtol=1e-12)


def test_every_image_seed_and_split_has_photons_of_its_own(rng):
    x = np.repeat(rng.random((1, 4, 4)), 2, axis=0)
    a = measure(x, grid=(8, 8), photons=1e4).intensities
    assert not np.array_equal(a[0], a[1])
    for other in ({"seed": 1}, {"split": "train"}):
        assert not np.array_equal(a, measure(x, grid=(8, 8), photons=1e4, **other).intensities)


def test_more_photons_mean_less_noise(rng):
    x = rng.random((20, 4, 4))
    clean = measure(x, grid=(8, 8)).intensities
    errors = [
        np.linalg.norm(measure(x, grid=(8, 8), photons=n).intensities - clean) / np.linalg.norm(clean)
        for n in (1e2, 1e4, 1e6)
    ]
    np.testing.assert_allclose(errors[0] / errors[1], 10, rtol=0.3)
    np.testing.assert_allclose(errors[1] / errors[2], 10, rtol=0.3)


@pytest.mark.parametrize("exponent", [-500, -10, 10, 500])
def test_photons_do_not_notice_the_unit_of_the_intensities(rng, exponent):
    x = rng.random((2, 4, 4))
    here, there = (measure(s * x, grid=(8, 8), photons=1e4) for s in (1.0, 2.0**exponent))
    np.testing.assert_array_equal(there.intensities, here.intensities * 4.0**exponent)


def test_an_object_without_light_stays_dark():
    dark = measure(np.zeros((2, 3, 3)), grid=(6, 6), photons=1e4)
    assert (dark.intensities == 0).all()
    assert not dark.valid().any()


@pytest.mark.parametrize("photons", [0, -1e4, np.nan, np.inf])
def test_a_number_of_photons_that_means_nothing_is_refused(photons):
    with pytest.raises(ValueError, match="photons must be positive"):
        measure(np.ones((1, 3, 3)), grid=(6, 6), photons=photons)


def test_the_masked_part_of_an_array_was_not_measured():
    intensities = np.ma.masked_array(np.ones((1, 6, 6), int), mask=np.arange(36).reshape(1, 6, 6) == 8)
    assert np.argwhere(~measurement(intensities).measured[0]).tolist() == [[1, 2]]
