"""A reader is told what was measured, and numbers with the digits that mean something."""

from __future__ import annotations

import math

import pytest

from bench.report.page import words
from datasets.problem import Problem


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        (
            [Problem()],
            "2 solvers recover 10\u202f000 images of fashion_mnist (test split) from the Fourier intensities on a grid "
            "of 96×96 alone. The images lie in a frame of 42×42, anywhere in it, half of them turned by 180° "
            "(shift_flip). The measurement has no noise.",
        ),
        ([Problem(variant="none"), Problem(variant="shift")], "in its centre (none); anywhere in it (shift)."),
        ([Problem(photons=1e6)], "The intensities are measured with the Poisson noise of 1e6 photons in a pattern."),
        (
            [Problem(), Problem(photons=1e4), Problem(photons=2500)],
            "without noise, and with the Poisson noise of 1e4 and",
        ),
        ([Problem(mask="beamstop[width=3]")], "; a square of 3×3 around the zero frequency is missing."),
        ([Problem(), Problem(mask="beamstop[width=3]")], "; in part of the problems, a square of 3×3 around"),
        ([Problem(object="complex")], "10\u202f000 complex objects whose magnitude is one image of fashion_mnist"),
        ([Problem(grid="96x128"), Problem()], "on grids of 96×128 and 96×96 alone"),
    ],
)
def test_the_setting_is_said_in_sentences(problems, said):
    assert said in " ".join(words.measured({problem: [10_000] for problem in problems}, 2))


def test_problems_with_different_numbers_of_images_have_a_range():
    few, many = Problem(variant="none"), Problem()
    patterns = Problem(dataset="patterns[path=scan.npy,object=8x8]", variant="none")
    said = words.measured({few: [64, 64], many: [64, 10_000], patterns: [1, 3]}, 2, {patterns})
    assert "2 solvers recover 64 to 10\u202f000 images of fashion_mnist (test split)" in said[0]
    assert "the objects of 1 to 3 measured patterns of patterns[" in said[3]
    assert words.measured({patterns: [1]}, 1, {patterns})[0].startswith(
        "1 solver recovers the objects of 1 measured pattern of"
    )
    phased = Problem(object="complex")
    assert "64 to 128 complex objects whose magnitude is one image" in words.measured({phased: [64, 128]}, 2)[0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.29223, "0.2922"), (1.0, "1.0000"), (0.001, "0.0010"), (2.04e-4, "0.00020"), (1e-7, "1.0e-7"), (0, "0.0000")],
)
def test_a_small_error_has_two_digits_and_others_four_decimals(value, shown):
    assert words.error(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(5.7, "5.70 ms"), (125.2, "125 ms"), (1234.0, "1.23 s"), (0.05, "50.0 µs"), (math.nan, "–")]
)
def test_a_time_has_its_unit(value, shown):
    assert words.time(value) == shown


def test_a_share_is_not_rounded_to_all_where_one_image_is_missing():
    assert words.share(0.9998, words.digits_of_shares(10_000)) == "99.98%"
    assert words.share(0.5, words.digits_of_shares(10)) == "50%"


def test_a_difference_has_its_sign():
    assert [words.signed(value) for value in (0.5, -0.5, 0.0)] == ["+0.5000", "−0.5000", "0.0000"]
