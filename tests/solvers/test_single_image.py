"""A method for one image becomes a solver of batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from doubles import register_solvers

from bench.commands.verify import findings
from bench.executors.inline import Inline
from datasets import load_images
from datasets.forward import opposite
from solvers import Backend, SingleImageSolver, Status, Streams


class RandomPhases(SingleImageSolver):
    """The measured magnitudes with random phases; where nothing was measured, zero."""

    name = "random_phases"
    summary = "random phases"

    def reconstruct(self, intensities, object_shape, rng):
        phases = np.exp(2j * np.pi * rng.random(intensities.shape))
        return np.fft.ifft2(np.sqrt(np.nan_to_num(intensities)) * phases)


class Corner(SingleImageSolver):
    """One pixel with the energy of the object."""

    def reconstruct(self, intensities, object_shape, rng):
        return [[np.sqrt(np.nanmean(intensities))]]


class Faulty(SingleImageSolver):
    """Returns what it is told to."""

    answer: str = "nan"

    def reconstruct(self, intensities, object_shape, rng):
        intensities[:] = -1  # its own copy
        return {
            "nan": np.full((2, 2), np.nan),
            "large": np.zeros((99, 99)),
            "stack": np.zeros((1, 2, 2)),
            "text": [["a"]],
        }[self.answer]


def solve(kind, measurement, **given):
    solver = kind(**given)
    solver.prepare(Backend("numpy", threads=2))
    return solver.solve(measurement, Streams(3))


def test_it_keeps_the_contract_of_a_solver(monkeypatch):
    register_solvers(monkeypatch, RandomPhases)
    with Inline(load_images("sample"), Backend(threads=2)) as here:
        assert [line for line in findings("random_phases", "shift_flip", here) if line[1]] == []


def test_a_small_image_lies_in_the_corner(small):
    found = solve(Corner, small)
    energy = small.intensities.mean(axis=(1, 2))
    np.testing.assert_allclose(found.images[:, 0, 0] ** 2, energy)
    assert not found.images[:, 1:].any()
    assert not found.images[:, :, 1:].any()


def test_an_image_has_its_own_random_numbers_wherever_it_is(small):
    found = solve(RandomPhases, small)
    np.testing.assert_array_equal(solve(RandomPhases, small[5:6]).images[0], found.images[5])
    assert solve(RandomPhases, small[:0]).images.shape == (0, *small.grid)


def test_the_residual_is_over_what_was_measured(small):
    seen = small.intensities.copy()
    seen[:, 2:4, 1:5] = np.nan
    seen = np.where(np.isnan(opposite(seen)), np.nan, seen)  # of a real object, one of two is enough
    masked = solve(RandomPhases, replace(small, intensities=seen))
    np.testing.assert_allclose(masked.residual, 0, atol=1e-12)
    assert set(masked.status) == {Status.STOPPED}


def test_bad_measurements_are_left_out(small):
    broken = small.intensities.copy()
    broken[1], broken[2, 3, 4] = 0, -1
    found = solve(RandomPhases, replace(small, intensities=broken))
    assert [status is Status.INVALID for status in found.status] == [i in (1, 2) for i in range(len(small))]
    np.testing.assert_array_equal(found.images[0], solve(RandomPhases, small).images[0])


def test_an_image_that_is_not_finite_has_diverged_and_the_measurement_is_left_alone(small):
    before = small.intensities.copy()
    found = solve(Faulty, small)
    assert set(found.status) == {Status.DIVERGED}
    assert not found.images.any()
    np.testing.assert_array_equal(small.intensities, before)


@pytest.mark.parametrize("answer", ["large", "stack", "text"])
def test_what_is_no_image_is_an_error(small, answer):
    with pytest.raises(ValueError, match="an image of numbers up to"):
        solve(Faulty, small, answer=answer)
