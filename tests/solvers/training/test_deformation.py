"""Deformed training images: of the same kind, other in every epoch, the same in any company."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st

from datasets import load_images
from solvers import create
from solvers.training import deformation
from solvers.training.config import TrainingConfig
from solvers.training.deformation import deformed
from solvers.training.lessons import Lessons
from tests.networks import few_images


@pytest.fixture(scope="module")
def images():
    return load_images("sample", "train").images[:40]


def test_a_few_stay_as_they_are_and_the_others_are_similar(images):
    found = deformed(images, np.arange(40), seed=0, epoch=0)
    assert found.dtype == images.dtype
    assert found.shape == images.shape
    same = np.array([np.array_equal(*pair) for pair in zip(found, images, strict=True)])
    assert 2 <= same.sum() <= 20
    a, b = images.astype(np.float64), found.astype(np.float64)
    likeness = (a * b).sum(axis=(1, 2)) / np.sqrt((a**2).sum(axis=(1, 2)) * (b**2).sum(axis=(1, 2)))
    assert np.median(likeness) > 0.85
    assert likeness.min() > 0.3  # of thin things
    assert likeness[~same].max() < 1


def test_it_is_drawn_anew_in_every_epoch_and_for_every_seed(images):
    few = np.arange(8)
    drawn = [deformed(images[:8], few, seed=seed, epoch=epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not np.array_equal(drawn[one], drawn[other])


def test_an_image_is_deformed_in_the_same_way_in_any_company(images):
    whole = deformed(images, np.arange(40), seed=3, epoch=2)
    for rows in ([5], [39, 0, 17]):
        np.testing.assert_array_equal(deformed(images[rows], np.array(rows), seed=3, epoch=2), whole[rows])


@given(seed=st.integers(0, 99), kind=st.sampled_from(["uint8", "uint16", "float32", "float64"]))
def test_types_ranges_and_images_without_content_are_kept(seed, kind):
    rng = np.random.default_rng(seed)
    blank = np.zeros((4, 9, 12)) if seed % 2 else np.full((4, 9, 12), 3.0)
    for images in (blank.astype(kind), (200 * rng.random((4, 9, 12))).astype(kind)):
        before = images.copy()
        found = deformed(images, np.arange(4), seed=seed, epoch=0)
        np.testing.assert_array_equal(images, before)
        assert found.dtype == images.dtype
        assert (found >= 0).all()
        most = images.max(axis=(1, 2)).astype(np.float64)
        assert (found.max(axis=(1, 2)) <= most * (1 + 1e-6)).all()


def test_the_background_of_images_with_negative_pixels_stays_zero(monkeypatch):
    monkeypatch.setattr(deformation, "SHARE", 1.0)
    images = np.zeros((6, 20, 20), dtype=np.float32)
    images[:, 8:12, 8:10], images[:, 8:12, 10:12] = -1, 1
    found = deformed(images, np.arange(6), seed=0, epoch=0)
    assert (found[:, :3] == 0).all()
    assert (found.min(axis=(1, 2)) < -0.5).all()
    assert (found.max(axis=(1, 2)) > 0.5).all()


def test_the_linear_map_alone_is_what_scipy_makes_of_it(monkeypatch, images):
    """Cubic interpolation is not the same in both: only smooth images agree."""
    monkeypatch.setattr(deformation, "SHARE", 1.0)
    monkeypatch.setattr(deformation, "BENT", 0.0)
    monkeypatch.setattr(deformation, "BRIGHTNESS", 0.0)
    smooth = scipy.ndimage.gaussian_filter(images[:6].astype(np.float64), (0, 2, 2))
    found = deformed(smooth, np.arange(6), seed=0, epoch=0)
    middle = (np.array(smooth.shape[1:]) - 1) / 2
    for index, (image, got) in enumerate(zip(smooth, found, strict=True)):
        drawn = deformation._draw(np.random.default_rng([0, 0, index, deformation.DEFORMATION]))
        matrix = drawn.linear[::-1, ::-1]  # rows before columns
        expected = scipy.ndimage.affine_transform(image, matrix, middle - matrix @ middle, order=3)
        inner = np.s_[3:-3, 3:-3]
        assert np.abs(got - expected)[inner].max() < 0.02 * image.max()


@pytest.mark.parametrize("label", ["unet_a", "unet_b", "pnp"])
def test_lessons_are_of_deformed_images_where_that_is_asked_for(label):
    def lessons(deform):
        config = TrainingConfig(solver=create(label), variant="none", images=20, batch=4, epochs=3, deform=deform)
        return Lessons(config, few_images(30))

    plain, first, again = lessons(False)[1][-1], lessons(True)[1][-1], lessons(True)[1][-1]
    assert torch.equal(first, again)
    assert not torch.equal(first, plain)
