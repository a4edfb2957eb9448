"""Every solver is told from the others, nothing is cut, and nothing lies on top of something else."""

from __future__ import annotations

import pytest
from drawn import LABELS, apart, curves, made, within
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import style

from bench.report.figures.convergence import convergence
from bench.report.figures.look import Look, folded, line_styles
from bench.report.figures.pareto import pareto
from bench.report.figures.profile import profile


@pytest.mark.slow
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("draw", [convergence, pareto, profile])
def test_a_legend_is_whole_and_beside_the_axes(labels, draw):
    figure = draw(curves(labels) if draw is convergence else made(labels), Look())
    figure.draw_without_rendering()
    legend = figure.legends[0]
    assert [text.get_text().replace("\n", "") for text in legend.get_texts()] == labels
    boxes = [legend.get_window_extent() for legend in figure.legends]
    within(figure, boxes)
    apart([*boxes, *(ax.get_tightbbox() for ax in figure.axes)])
    for ax in figure.axes:
        assert ax.get_window_extent().height > 150, "the legend grows at no cost to the curves"


@pytest.mark.slow
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("draw", [convergence, pareto, profile])
def test_a_figure_has_the_size_that_is_asked_for_and_its_legend_still_fits(labels, draw):
    figure = draw(curves(labels) if draw is convergence else made(labels), Look(size=(8, 5), title="of this size"))
    assert figure.get_size_inches().tolist() == [8, 5]
    figure.draw_without_rendering()
    within(figure, [legend.get_window_extent() for legend in figure.legends] if labels is not LABELS["long"] else [])
    assert all(ax.get_window_extent().height > 40 for ax in figure.axes)


def test_no_two_lines_of_a_sweep_look_alike():
    labels = ["alm", "alm[nonneg=true]", "er", "er[nonneg=true]", "er[iterations=9]", "rrr", "hio", "hio[nonneg=true]"]
    styles = line_styles(labels)
    assert len({tuple(one.values()) for one in styles}) == len(labels)
    assert len({one["color"] for one in styles}) == len(labels), "a point has no line to tell it by"


@pytest.mark.parametrize("solvers", [1, 2, 7, 12])
@pytest.mark.parametrize("settings", [1, 4, 18])
@pytest.mark.parametrize("name", ["default", "ggplot"])
def test_lines_are_told_apart_however_many_settings_a_solver_has(solvers, settings, name):
    labels = [f"solver{i}[beta={j}]" for i in range(solvers) for j in range(settings)]
    with style.context(name):
        assert len({tuple(one.values()) for one in line_styles(labels)}) == len(labels)


def test_a_style_without_colours_has_shades_lines_and_markers():
    with style.context("grayscale"):
        assert len({tuple(one.values()) for one in line_styles([f"er[beta={i}]" for i in range(9)])}) == 9


def test_single_points_are_told_apart_by_colour_and_marker():
    styles = line_styles([f"{name}[beta={i}]" for name in ("er", "rrr") for i in range(9)])
    assert len({(one["color"], one["marker"]) for one in styles}) == 18


@given(st.text("ab=1,[]", min_size=1, max_size=60), st.integers(1, 30))
def test_a_folded_label_has_all_its_characters_and_no_longer_line(label, width):
    lines = folded(label, width).split("\n")
    assert "".join(lines) == label
    assert max(map(len, lines)) <= width


def test_a_label_is_folded_between_its_parameters():
    assert folded("rrr[nonneg=true,beta=0.5]", 16) == "rrr[nonneg=true,\nbeta=0.5]"
