"""A problem says what is to be recovered from what, in one spelling, and makes both."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from datasets import ImageSet, load_images
from datasets.forward import forward
from datasets.image_set import digest_of
from datasets.problem import COLUMNS, Problem, beamstop_mask, partners_of, shortest

SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "split": st.sampled_from(["train", "test"]),
        "object": st.sampled_from(["real", "complex", " complex[phase=1.5]", "complex[ phase = 3.141592653589793 ]"]),
        "variant": st.sampled_from(["none", "flip", "shift", "shift_flip"]),
        "frame": st.sampled_from([32, "40", (28, 42), "42x30"]),
        "grid": st.sampled_from([96, "84x97", [100, 90]]),
        "photons": st.sampled_from([None, "none", "1e5", 1e6, 250]),
        "mask": st.sampled_from(["none", "beamstop[width=0]", "beamstop[ width = 3 ]"]),
    },
)


@given(SETTINGS)
def test_a_problem_is_what_its_columns_and_its_json_say(setting):
    problem = Problem(**setting)
    assert Problem(**problem.columns()) == problem
    assert Problem.model_validate_json(problem.model_dump_json()) == problem
    assert hash(Problem(**problem.columns())) == hash(problem)
    assert tuple(problem.columns()) == COLUMNS


def test_the_papers_problem_is_the_default():
    assert str(Problem()) == "fashion_mnist, test, real, shift_flip, frame 42x42, grid 96x96, no noise, no mask"
    assert Problem().columns()["photons"] == math.inf


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"variant": "mirror"}, "unknown variant 'mirror': choose from none, flip, shift, shift_flip"),
        ({"split": "holdout"}, "unknown split 'holdout': choose from train, test"),
        ({"object": "imaginary"}, "unknown object 'imaginary': choose from real, complex"),
        ({"object": "complex[phase=0]"}, "'0' is no largest phase"),
        ({"object": "complex[phase=nan]"}, "'nan' is no largest phase"),
        ({"frame": "forty"}, "'forty' is no size"),
        ({"frame": True}, "'True' is no size"),
        ({"grid": "0x96"}, "out of range"),
        ({"grid": 10**5}, "out of range"),
        ({"grid": 40}, "a grid of 40x40 cannot measure a frame of 42x42"),
        ({"photons": -1}, "'-1' is no number of photons"),
        ({"photons": "nan"}, "'nan' is no number of photons"),
        ({"photons": True}, "'True' is no number of photons"),
        ({"photons": 1e19}, "no number of photons"),
        ({"mask": "moon"}, "unknown mask 'moon'"),
        ({"mask": "beamstop[width=60]"}, "a beamstop of width 60 is too wide for a grid of 96x96"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_no_problem_is_refused_in_words(setting, says):
    with pytest.raises(ValidationError, match=says.replace("[", r"\[")):
        Problem(**setting)


def test_real_objects_are_the_images_placed():
    images = load_images("sample")
    objects = Problem(variant="none").objects(images, np.arange(3), 0)
    np.testing.assert_array_equal(objects[:, 7:35, 7:35], images.tiles(np.arange(3)))
    assert objects.sum() == images.tiles(np.arange(3)).sum()


@pytest.mark.parametrize("phase", [1.0, math.pi])
def test_a_complex_object_has_its_magnitude_from_one_image_and_its_phase_from_another(phase):
    images, indices = load_images("sample"), np.arange(20, 26)
    problem = Problem(object=f"complex[phase={phase}]", variant="none", frame=28)
    objects = problem.objects(images, indices, 3)
    partners = partners_of(indices, len(images), 3, "test")
    assert not (partners == indices).any()
    assert objects.dtype == np.complex64
    np.testing.assert_allclose(abs(objects), images.tiles(indices), atol=1e-6)
    bright = images.tiles(indices) > 0.1
    turned = objects * np.exp(-1j * phase * images.tiles(partners))
    np.testing.assert_allclose(np.angle(turned)[bright], 0, atol=1e-5)


@pytest.mark.parametrize("asked", ["real", "complex[phase=1]"])
def test_complex_images_keep_their_phases(asked):
    pixels = np.exp(1j * np.arange(1, 5).reshape(1, 2, 2))
    images = ImageSet("some", "test", pixels, None, "memory", digest_of(pixels))
    kept = Problem(object="complex", variant="none", frame=2, grid=4).objects(images, np.arange(1), 0)
    np.testing.assert_array_equal(kept, pixels)
    with pytest.raises(ValueError, match="are complex: ask for --objects complex"):
        Problem(object=asked, variant="none", frame=2, grid=4).check(images)


def test_an_object_depends_on_its_number_and_the_seed_alone():
    images, problem = load_images("sample"), Problem(object="complex")
    whole = problem.objects(images, np.arange(12), 5)
    some = np.array([7, 2, 11])
    np.testing.assert_array_equal(problem.objects(images, some, 5), whole[some])
    assert not np.array_equal(problem.objects(images, some, 6), whole[some])


@pytest.mark.parametrize(("width", "missing"), [(1, {(0, 0)}), (2, {(0, 0), (0, 9), (9, 0), (9, 9)})])
def test_a_beamstop_hides_a_square_around_the_zero_frequency(width, missing):
    hidden = np.argwhere(~beamstop_mask((10, 10), width))
    assert {tuple(place) for place in hidden} == missing
    assert (~beamstop_mask((10, 11), 3)).sum() == 9


def test_a_measurement_is_that_of_the_objects_and_leaves_out_what_is_hidden():
    images = load_images("sample")
    problem = Problem(frame="30x32", grid="64x70", mask="beamstop[width=3]")
    objects = problem.objects(images, np.arange(2), 0)
    measurement = problem.measure(objects, np.arange(2), 0)
    assert measurement.object_shape == (30, 32)
    seen = beamstop_mask((64, 70), 3)
    np.testing.assert_array_equal(measurement.intensities[:, seen], forward(objects, (64, 70))[:, seen])
    assert np.isnan(measurement.intensities[:, ~seen]).all()


@pytest.mark.parametrize(
    ("number", "text"),
    [(1e5, "1e5"), (2.5e5, "2.5e5"), (42.0, "42"), (1048576.0, "1048576"), (1e-12, "1e-12"), (math.inf, "inf")],
)
def test_a_number_is_written_with_the_fewest_digits_that_are_read_as_it(number, text):
    assert shortest(number) == text
    assert float(text) == number


def test_problems_with_nearly_as_many_photons_are_told_apart():
    assert str(Problem(photons=1.234e6)) != str(Problem(photons=1.23e6))
