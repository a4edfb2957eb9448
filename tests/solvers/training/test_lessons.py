"""What the steps of a training learn from, prepared one by one or ahead."""

from __future__ import annotations

import itertools
import multiprocessing
import os

import numpy as np
import pytest
import torch

from solvers import create
from solvers.training.config import TrainingConfig
from solvers.training.interruption import SIGNALS
from solvers.training.lessons import Lessons
from tests.networks import few_images

IMAGES, BATCH = 20, 4


def lessons_of(label="unet_b", *, seed=0, variant="shift_flip", photons=None, **division):
    config = TrainingConfig(
        solver=create(label), variant=variant, images=IMAGES, batch=BATCH, epochs=3, seed=seed, photons=photons
    )
    return Lessons(config, few_images(30), **division)


def same(ones, others):
    return all(
        torch.equal(one, other)
        for mine, theirs in itertools.zip_longest(ones, others)
        for one, other in itertools.zip_longest(mine, theirs)
    )


@pytest.mark.parametrize(("label", "photons"), [("unet_b", None), ("unet_a[preset=noise]", "1e3:1e6"), ("pnp", None)])
def test_processes_that_prepare_them_ahead_change_nothing(label, photons):
    lessons = lessons_of(label, photons=photons)
    expected = [lessons[step] for step in range(3, 12)]
    assert same(expected, lessons.between(3, 12, processes=0))
    assert same(expected, lessons.between(3, 12, processes=2))


def test_every_epoch_has_every_image_once_in_an_order_of_its_own():
    lessons = lessons_of("unet_b", variant="none")
    epochs = [torch.cat([lessons[5 * epoch + step][-1] for step in range(5)]) for epoch in (0, 1)]
    brightness = [epoch.sum(dim=(1, 2)).numpy() for epoch in epochs]
    np.testing.assert_array_equal(*map(np.sort, brightness))
    assert not np.array_equal(*brightness)


def test_processes_divide_a_batch_between_them():
    whole = lessons_of()[7]
    parts = [lessons_of(rank=rank, world=2)[7] for rank in (0, 1)]
    for tensor, first, second in zip(whole, *parts, strict=True):
        assert torch.equal(tensor[0::2], first)
        assert torch.equal(tensor[1::2], second)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_for_all_processes_is_left_to_the_training(number):
    lessons = lessons_of()
    asked = lessons.between(0, 15, processes=2)
    signal_all(number)  # while they start
    found = [next(asked)]
    signal_all(number)  # while they work
    found.extend(asked)
    assert same([lessons[step] for step in range(15)], found)


def signal_all(number: int) -> None:
    for helper in multiprocessing.active_children():
        os.kill(helper.pid, number)
