"""A search ends once the best is found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import oracles
import pytest

from datasets import Measurement, measure
from solvers import Reconstruction, Status, Streams
from solvers.composed.agreement import DIFFERENT, SAME, agree
from solvers.composed.registration import TRANSFORMS
from solvers.composed.stages import best_of

GRID = (18, 19)
PHOTONS = 1e4


@pytest.fixture(scope="module")
def noisy(small_objects) -> Measurement:
    return measure(small_objects[:4], grid=GRID, photons=PHOTONS)


@pytest.fixture(scope="module")
def images(small_objects):
    return np.stack([np.pad(x, [(0, m - n) for m, n in zip(GRID, x.shape, strict=True)]) for x in small_objects[:4]])


def apart(images, relative, seed=0):
    """Images from which these differ by so much: ‖a‖²‖b‖² − ⟨a, b⟩² over the first, at their best position."""
    noise = np.random.default_rng(seed).standard_normal(images.shape)
    along = (noise * images).sum(axis=(1, 2), keepdims=True) / (images**2).sum(axis=(1, 2), keepdims=True)
    noise -= along * images
    norms = [np.linalg.norm(x, axis=(1, 2), keepdims=True) for x in (images, noise)]
    return images + np.sqrt(relative / (1 - relative)) * noise * norms[0] / norms[1]


def test_copies_of_an_image_agree_whatever_its_symmetries_make_of_it(images, noisy):
    copies = np.roll(oracles.conjugate_flip(images), (3, -4), (1, 2))
    assert agree(images, copies, noisy).all()
    assert agree(copies, images, noisy).all()


def test_images_agree_up_to_the_noise_in_the_box(images, noisy):
    noise = np.prod(noisy.object_shape) / (8 * PHOTONS)
    assert agree(images, apart(images, noise / 2), noisy).all()
    assert not agree(images, apart(images, 2 * noise), noisy).any()


def test_that_noise_is_what_the_measured_magnitudes_leave_in_the_box_of_the_object(small_objects, images):
    """Literally: the true phases, with magnitudes that were counted, on whole grids."""
    photons = 1e6
    noisy = measure(small_objects, grid=GRID, photons=photons)
    images = np.stack([np.pad(x, [(0, 12), (0, 12)]) for x in small_objects])
    y = noisy.intensities
    counted = np.sqrt((y + np.roll(y[:, ::-1, ::-1], 1, (1, 2))) / 2)
    spectra = np.fft.fft2(images)
    back = np.fft.ifft2(counted * spectra / abs(spectra)).real
    n1, n2 = noisy.object_shape
    error = ((back - images)[:, :n1, :n2] ** 2).sum(axis=(1, 2)) / (images**2).sum(axis=(1, 2))
    assert error.mean() == pytest.approx(n1 * n2 / (8 * photons), rel=0.2)


def test_without_noise_images_are_the_same_to_one_percent(images, small_objects):
    clean = measure(small_objects[:4], grid=GRID)
    assert agree(images, apart(images, SAME / 2), clean).all()
    assert not agree(images, apart(images, 2 * SAME), clean).any()


@pytest.mark.parametrize("photons", [1, 100, PHOTONS])
def test_an_image_of_zeros_agrees_with_none(images, small_objects, photons):
    noisy = measure(small_objects[:4], grid=GRID, photons=photons)
    assert not agree(0 * images, images, noisy).any()
    assert not agree(0 * images, 0 * images, noisy).any()


def test_different_images_do_not_agree_for_want_of_photons(images, small_objects):
    dark = measure(small_objects[:4], grid=GRID, photons=30)
    assert agree(images, apart(images, DIFFERENT / 2), dark).all()
    assert not agree(images, apart(images, 2 * DIFFERENT), dark).any()


@pytest.mark.parametrize("unit", [1e-24, 1e-9, 1e9, 1e17])
def test_the_unit_of_the_intensities_changes_no_answer(images, noisy, unit):
    noise = np.prod(noisy.object_shape) / (8 * PHOTONS)
    near, far = apart(images, noise / 2), apart(images, 2 * noise)
    scaled = replace(noisy, intensities=noisy.intensities * unit**2)
    first, second, third = ((unit * x).astype(np.float32) for x in (images, near, far))
    assert agree(first, second, scaled).all()
    assert not agree(first, third, scaled).any()


def test_in_a_smaller_support_there_is_less_noise(images, noisy):
    noise = np.prod(noisy.object_shape) / (8 * PHOTONS)
    support = np.zeros((4, *noisy.object_shape), dtype=bool)
    support[:, :3] = True  # half of the box
    assert agree(images, apart(images, 0.8 * noise), noisy).all()
    assert not agree(images, apart(images, 0.8 * noise), replace(noisy, support=support)).any()


def test_without_its_centre_a_pattern_is_taken_to_have_no_more_noise(images, noisy):
    """Its photons are fewer, which says nothing of the noise in what was measured."""
    noise = np.prod(noisy.object_shape) / (8 * PHOTONS)
    y = noisy.intensities.copy()
    y[:, [0, 0, 1, -1], [0, 1, 0, 0]] = np.nan
    assert not agree(images, apart(images, 2 * noise), replace(noisy, intensities=y)).any()


def test_of_no_images_none_agree(images, noisy):
    assert agree(images[:0], images[:0], noisy[:0]).shape == (0,)


def test_threads_change_no_answer(images, noisy):
    every = np.arange(20) % 4
    noise = np.prod(noisy.object_shape) / (8 * PHOTONS)
    others = np.where((np.arange(20) % 3 > 0)[:, None, None], images[every], apart(images, 2 * noise)[every])
    one, three = (agree(images[every], others, noisy[every], threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one, np.arange(20) % 3 > 0)
    np.testing.assert_array_equal(three, one)


def given_starts(*starts):
    """A start function that finds these images with these residuals, and a list of the rows that were asked for."""
    asked = []

    def start(measurement, streams, number):
        rows = measurement.indices
        asked.append(rows.tolist())
        images, residual = starts[number]
        n, once = len(rows), np.ones(len(rows), dtype=np.int64)
        return Reconstruction(images[rows], np.full(n, residual), once, once, once, [Status.STOPPED] * n)

    return start, asked


def test_starts_end_once_one_finds_what_the_best_before_it_has_found(images, noisy):
    """Image 0 at once, 1 with the third start, 2 not with one that finds what a worse one has found, 3 never."""
    others = [apart(images, 0.5, seed) for seed in range(1, 5)]
    first, second, third, fourth, fifth = images.copy(), *(other.copy() for other in others)
    second[0] = images[0]
    third[1] = second[1]
    fourth[2] = first[2]
    start, asked = given_starts((first, 0.4), (second, 0.3), (third, 0.2), (fourth, 0.1), (fifth, 0.5))
    found = best_of(5, noisy, Streams(), start, same=agree)
    assert asked == [[0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3], [2, 3], [2, 3]]
    np.testing.assert_array_equal(found.residual, [0.3, 0.2, 0.1, 0.1])
    np.testing.assert_array_equal(found.images, np.stack([second[0], third[1], fourth[2], fourth[3]]))
    np.testing.assert_array_equal(found.starts, [2, 3, 5, 5])
    np.testing.assert_array_equal(found.transforms, found.starts + TRANSFORMS * (found.starts - 1))


def test_the_better_of_two_that_agree_is_kept(images, noisy):
    start, _ = given_starts((images, 0.1), (1.001 * images, 0.2))
    np.testing.assert_array_equal(best_of(2, noisy, Streams(), start, same=agree).images, images)


def test_starts_are_not_compared_unless_it_is_asked_for(images, noisy):
    start, asked = given_starts(*[(images, 0.1)] * 3)
    found = best_of(3, noisy, Streams(), start)
    assert len(asked) == 3
    np.testing.assert_array_equal(found.transforms, 3)
