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
    assert (measure(x, grid=(6, 11)).real, measure(x, grid=(6, 11)).nonnegative) == (True, True)
    assert (measure(x - 0.5, grid=(6, 11)).real, measure(x - 0.5, grid=(6, 11)).nonnegative) == (True, False)
    assert (measure(x * 1j, grid=(6, 11)).real, measure(x * 1j, grid=(6, 11)).nonnegative) == (False, False)


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
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(intensities, indices, message):
    with pytest.raises(ValueError, match=message):
        Measurement(intensities, (3, 3), indices)


def test_an_image_can_be_reconstructed_if_finite_nonnegative_and_not_dark():
    y = np.ones((6, 6, 6))
    y[1, 2, 3] = np.nan
    y[2, 0, 0] = np.inf
    y[3, 5, 5] = -1e-9
    y[4] = 0
    y[5] = 0
    y[5, 0, 0] = 1e-300
    assert measurement(y).valid().tolist() == [True, False, False, False, False, True]


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


def test_an_object_without_light_stays_dark():
    dark = measure(np.zeros((2, 3, 3)), grid=(6, 6), photons=1e4)
    assert (dark.intensities == 0).all()
    assert not dark.valid().any()


@pytest.mark.parametrize("photons", [0, -1e4, np.nan, np.inf])
def test_a_number_of_photons_that_means_nothing_is_refused(photons):
    with pytest.raises(ValueError, match="photons must be positive"):
        measure(np.ones((1, 3, 3)), grid=(6, 6), photons=photons)
