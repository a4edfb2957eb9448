"""Every curve is a line of its own, and says which."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn import Known, apart, curves, legend

from bench.report.figures.convergence import convergence
from bench.report.figures.look import Look
from datasets.problem import Problem

NOISY = tuple(Problem(dataset="sample", variant="flip", photons=count) for count in (1e5, 1e4))


def test_a_curve_of_one_point_is_seen():
    for ax in convergence(curves(["er[iterations=20]"], points=1), Look()).axes:
        (line,) = ax.lines
        assert line.get_marker() not in ("", "None", None)
        assert len(line.get_xdata()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [[0.0025, 0.004, 0.016], [0.9, 1.0, 1.1], [1e-3, 1, 1e3], [0.01, 0.03, 0.4]])
def test_the_labels_of_an_axis_do_not_run_into_each_other(seconds):
    figure = convergence(curves(["er"], points=3, seconds=seconds), Look())
    figure.draw_without_rendering()
    for ax in figure.axes:
        ticks = [*ax.get_xticklabels(), *ax.get_xticklabels(minor=True)]
        low, high = ax.get_xlim()
        boxes = [
            tick.get_window_extent() for tick in ticks if tick.get_text() and low <= tick.get_position()[0] <= high
        ]
        assert len(boxes) >= 2
        apart(boxes)


def test_curves_of_several_problems_are_lines_of_their_own_that_say_which():
    figure = convergence(curves(["er", "rrr"], problems=NOISY), Look(names={"er": "ER"}))
    assert legend(figure) == [
        f"{name}, flip, {count} photons" for count in ("1e5", "1e4") for name in ("ER", "rrr")
    ]  # fmt: skip
    assert figure.legends[0].get_title().get_text() == "median of 16 images"
    for ax in figure.axes:
        assert len(ax.lines) == 4
        assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in ax.lines}) == 4
        for line in ax.lines:
            assert (np.diff(line.get_xdata()) > 0).all()


def test_curves_of_several_seeds_and_numbers_of_images_are_lines_of_their_own_that_say_which():
    both = [
        curves(["er"], problems=NOISY[:1], seeds=(0, 7)).curves,
        curves(["er"], problems=NOISY[:1], images=8).curves,
    ]
    figure = convergence(Known(curves=pd.concat(both, ignore_index=True)), Look())
    assert legend(figure) == ["er, seed 0, 16 images", "er, seed 7, 16 images", "er, seed 0, 8 images"]
    assert figure.legends[0].get_title().get_text() == "median of all images of a curve, flip, 1e5 photons"
    assert all((np.diff(line.get_xdata()) > 0).all() for ax in figure.axes for line in ax.lines)


def test_the_title_says_what_several_problems_have_in_common():
    problems = tuple(
        Problem(dataset="sample", variant=variant, photons=1e4, mask="beamstop[width=3]")
        for variant in ("none", "flip")
    )
    figure = convergence(curves(["er"], problems=problems), Look())
    assert figure.legends[0].get_title().get_text() == "median of 16 images, 1e4 photons, beamstop[width=3]"
    assert legend(figure) == ["er, none", "er, flip"]
