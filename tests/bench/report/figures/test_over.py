"""Error over a setting."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import made, within

from bench.errors import RequestError
from bench.report.figures.look import Look
from bench.report.figures.over import AXES, error_over
from bench.score.references import USES
from datasets.problem import Problem


def test_noise_is_drawn_with_no_noise_at_the_right_end():
    counts = (np.inf, 1e6, 1e4)
    problems = tuple(Problem(dataset="sample", variant=v, photons=p) for v in ("none", "flip") for p in counts)
    figure = error_over(
        made(["er", "rrr"], problems=problems), Look(names={"er": "error reduction"}), axis=AXES["photons"]
    )
    (ax,) = figure.axes
    assert len(ax.lines) == 4
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1e4", "1e6", "no noise"]
    assert figure.legends[0].get_texts()[0].get_text() == "error reduction, none"
    figure.draw_without_rendering()
    within(figure, [legend.get_window_extent() for legend in figure.legends])


def test_one_number_of_photons_is_no_curve():
    with pytest.raises(RequestError, match="--photons"):
        error_over(made(["er"]), Look(), axis=AXES["photons"])


def test_frames_are_numbers_too():
    sizes = [((128, 128), 256), ((128, 128), 300), ((32, 50), 256), ((32, 50), 300)]
    problems = tuple(Problem(dataset="sample", frame=frame, grid=(grid, grid)) for frame, grid in sizes)
    figure = error_over(made(["er"], problems=problems), Look(), axis=AXES["frame"])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["er, shift_flip, grid 256x256", "er, shift_flip, grid 300x300"]
    for line in figure.axes[0].get_lines():
        np.testing.assert_allclose(line.get_xdata(), [40, 128])


def test_references_are_thin_and_unmarked_and_have_no_interval():
    noisy = tuple(Problem(dataset="sample", photons=count) for count in (1e4, 1e6))
    limit = made(["limit (uses the truth)"], problems=noisy).summary.assign(information=USES)
    run = made(["er", "rrr"], problems=noisy)
    run.references = limit
    figure = error_over(run, Look(), axis=AXES["photons"])
    (ax,) = figure.axes
    *solvers, reference = ax.get_lines()
    assert figure.legends[0].get_texts()[-1].get_text() == "limit (uses the truth)"
    assert reference.get_linewidth() < min(line.get_linewidth() for line in solvers)
    assert reference.get_marker() == "None"
    assert len(ax.collections) == len(solvers)
