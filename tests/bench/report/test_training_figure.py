"""The picture of a training."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.report.training_figure import draw_history, training_figure
from solvers.training.history import History, Step


def steps(count):
    """A loss that falls, and a validation at every fourth step."""
    return [Step(n, 12 * n, 1 / n, 0.5 if n % 4 == 0 else math.nan, 1e-3, float(n)) for n in range(1, count + 1)]


def lines(count):
    (ax,) = training_figure(steps(count), "unet_b-default-flip").axes
    return {line.get_label().split()[0]: line.get_xydata() for line in ax.lines}


def test_it_shows_every_loss_and_the_scores_that_were_measured():
    drawn = lines(9)
    assert drawn.keys() == {"loss", "validation:"}
    np.testing.assert_allclose(drawn["loss"][:, 1], 1 / np.arange(1, 10))
    assert drawn["validation:"].tolist() == [[48, 0.5], [96, 0.5]]


@pytest.mark.parametrize("count", [20, 45, 3000])
def test_many_losses_have_a_mean_that_falls_as_they_do(count):
    drawn = lines(count)
    loss, mean = drawn["loss"][:, 1], drawn["its"][:, 1]
    assert 2 <= len(mean) <= 200
    assert (np.diff(mean) < 0).all()
    assert loss.min() < mean.min() < mean.max() < loss.max()


@pytest.mark.parametrize("count", [0, 1])
def test_a_history_that_has_hardly_begun_is_drawn_too(tmp_path, count):
    history = History(tmp_path / "a.history.csv", 0)
    for row in steps(count):
        history.add(row)
    history.close()
    draw_history(history.path, tmp_path / "a.history.png")
    assert (tmp_path / "a.history.png").read_bytes().startswith(b"\x89PNG")
