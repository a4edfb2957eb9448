"""A search ends where the best has been found twice."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

from datasets import Measurement, measure
from solvers import Reconstruction, Status, Streams
from solvers.composed.agreement import SAME, TRANSFORMS, agree
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


def test_an_image_of_zeros_agrees_with_none(images, noisy):
    assert not agree(0 * images, images, noisy).any()
    assert not agree(0 * images, 0 * images, noisy).any()


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


def test_starts_end_where_the_best_is_found_twice(images, noisy):
    """Image 0 agrees at once, 1 with the third start alone, 2 with a start that is not the best one, 3 never."""
    others = [apart(images, 0.5, seed) for seed in range(1, 4)]
    first, second, third, fourth = images.copy(), others[0], others[1], others[2]
    second[0] = images[0]
    third[1] = second[1]
    fourth[2] = first[2]
    start, asked = given_starts((first, 0.4), (second, 0.3), (third, 0.2), (fourth, 0.1))
    found = best_of(4, noisy, Streams(), start, until_two_agree=True)
    assert asked == [[0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3], [2, 3]]
    np.testing.assert_array_equal(found.residual, [0.3, 0.2, 0.1, 0.1])
    np.testing.assert_array_equal(found.images, np.stack([second[0], third[1], fourth[2], fourth[3]]))
    np.testing.assert_array_equal(found.starts, [2, 3, 4, 4])
    np.testing.assert_array_equal(found.transforms, found.starts + TRANSFORMS * (found.starts - 1))


def test_the_better_of_two_that_agree_is_kept(images, noisy):
    start, _ = given_starts((images, 0.1), (1.001 * images, 0.2))
    np.testing.assert_array_equal(best_of(2, noisy, Streams(), start, until_two_agree=True).images, images)


def test_starts_are_not_compared_unless_it_is_asked_for(images, noisy):
    start, asked = given_starts(*[(images, 0.1)] * 3)
    found = best_of(3, noisy, Streams(), start)
    assert len(asked) == 3
    np.testing.assert_array_equal(found.transforms, 3)
