"""Pictures show every solver on every variant, each told from the others."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from doubles import Blank, register_solvers
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from bench.executors.glimpses import Curve
from bench.executors.inline import Inline
from bench.report.figures import convergence, draw_figures, folded, gallery, line_styles
from bench.request import Sweep
from bench.sweep.shard import Shard, observe
from datasets import load_images
from datasets.problem import Problem
from solvers import Backend


def problem(variant: str, **setting: object) -> Problem:
    return Problem(dataset="sample", variant=variant, **setting)


SHARD = Shard(problem("shift_flip"), "", 0, 0, 3)
LABEL = "rrr[nonneg=true,iterations=60]"


def test_a_gallery_has_the_truth_and_every_solver_for_every_image_of_every_variant():
    shards = [replace(SHARD, problem=problem(variant)) for variant in ("none", "shift_flip")]
    labels = [LABEL, "er[iterations=5]"]
    images = load_images("sample")
    figure = gallery(shards, labels, images, Inline(images, Backend()))
    groups = [np.array(part.axes).reshape(3, 3) for part in figure.subfigs]
    for shard, axes in zip(shards, groups, strict=True):
        assert [ax.get_title().replace("\n", "") for ax in axes[0]] == ["truth", *labels]
        truth, _ = observe(images, shard)
        for i in range(3):
            np.testing.assert_array_equal(axes[i, 0].images[0].get_array(), truth[i])
            assert 0 <= float(axes[i, 1].get_xlabel()) < float(axes[i, 2].get_xlabel()) <= 1


def test_of_complex_images_the_magnitude_is_shown():
    shard = replace(SHARD, problem=problem("shift_flip", object="complex"), count=1)
    images = load_images("sample")
    figure = gallery([shard], ["er[iterations=5]"], images, Inline(images, Backend()))
    shown = [ax.images[0].get_array() for ax in figure.subfigs[0].axes]
    np.testing.assert_array_equal(shown[0], np.abs(observe(images, shard)[0][0]))
    assert shown[1].min() >= 0


@pytest.mark.parametrize(("solvers", "files"), [(3, ["gallery.png"]), (8, ["gallery_none.png", "gallery_shift.png"])])
def test_variants_stand_side_by_side_where_there_is_room(tmp_path, solvers, files):
    labels = [f"er[iterations={i}]" for i in range(1, 1 + solvers)]
    sweep = Sweep(solvers=labels, variants=("none", "shift"), images=1, dataset="sample")
    images = load_images("sample")
    problems = sweep.problems(images)
    draw_figures(sweep, problems, labels, images, Inline(images, Backend()), pd.DataFrame(), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("gallery*")) == files


def test_no_two_lines_of_a_sweep_look_alike():
    labels = ["alm", "alm[nonneg=true]", "er", "er[nonneg=true]", "er[iterations=9]", "rrr", "hio", "hio[nonneg=true]"]
    styles = [tuple(style.values()) for style in line_styles(labels)]
    assert len(set(styles)) == len(labels)
    assert styles[0][0] == styles[1][0], "the settings of one solver have one colour"


@pytest.mark.parametrize("solvers", [1, 2, 7, 12])
@pytest.mark.parametrize("settings", [1, 4, 18])
def test_lines_are_told_apart_however_many_settings_a_solver_has(solvers, settings):
    labels = [f"solver{i}[beta={j}]" for i in range(solvers) for j in range(settings)]
    styles = line_styles(labels)
    assert len({tuple(style.values()) for style in styles}) == len(labels)
    if solvers == 1:
        assert len({style["color"] for style in styles}) == min(settings, 10)


def test_single_points_are_told_apart_by_colour_and_marker():
    styles = line_styles([f"{name}[beta={i}]" for name in ("er", "rrr") for i in range(9)])
    assert len({(style["color"], style["marker"]) for style in styles}) == 18


# ---- nothing is cut, and nothing lies on top of something else

LONG = "rrr[nonneg=true,iterations=1000,starts=5,beta=0.{}]"
PATH = "unet_a[weights=" + "/a/long/way/to/some/weights" * 8 + ".safetensors]"


def curves(labels: list[str], points: int = 5) -> dict[str, Curve]:
    age = np.arange(1, points + 1)
    return {label: Curve(20 * age, 0.01 * age, 0.5**age, 0.4**age) for label in labels}


def within(figure: Figure, boxes: list) -> None:
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    for box in boxes:
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


def apart(boxes: list) -> None:
    for one, other in combinations(boxes, 2):
        assert not (
            min(one.x1, other.x1) - max(one.x0, other.x0) > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1
        )


@pytest.mark.parametrize(
    "labels",
    [["er"], [LONG.format(i) for i in range(4)], [LONG.format(i) for i in range(18)], ["er", PATH]],
    ids=["one", "four", "eighteen", "long"],
)
def test_a_legend_is_whole_and_above_the_curves(labels):
    figure = convergence(curves(labels), SHARD)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert [text.get_text().replace("\n", "") for text in legend.get_texts()] == labels
    within(figure, [legend.get_window_extent()])
    apart([legend.get_window_extent(), *(ax.get_tightbbox() for ax in figure.axes)])
    for ax in figure.axes:
        assert ax.get_window_extent().height > 150, "the legend grows at no cost to the curves"


def test_a_curve_of_one_point_is_seen():
    figure = convergence(curves(["er[iterations=20]"], points=1), SHARD)
    for ax in figure.axes:
        (line,) = ax.lines
        assert line.get_marker() not in ("", "None", None)
        assert len(line.get_xdata()) == 1


def test_the_labels_of_an_axis_do_not_run_into_each_other():
    seconds = np.array([0.0025, 0.004, 0.016])
    figure = convergence({"er": replace(curves(["er"], points=3)["er"], seconds=seconds)}, SHARD)
    figure.draw_without_rendering()
    for ax in figure.axes:
        ticks = [*ax.get_xticklabels(), *ax.get_xticklabels(minor=True)]
        low, high = ax.get_xlim()
        boxes = [
            tick.get_window_extent() for tick in ticks if tick.get_text() and low <= tick.get_position()[0] <= high
        ]
        assert len(boxes) >= 2
        apart(boxes)


class Drawn:
    """An executor that knows what every solver makes of an image."""

    def call(self, function, shard):
        return np.zeros((shard.count, 42, 42)), np.full(shard.count, 0.123)


@pytest.mark.parametrize(("solvers", "variants"), [(1, ("none", "shift_flip")), (4, ("none", "flip")), (12, ("none",))])
def test_titles_do_not_run_into_each_other(solvers, variants):
    shards = [replace(SHARD, problem=problem(variant), count=1) for variant in variants]
    labels = [LONG.format(i) for i in range(solvers - 1)] + [PATH[:90]]
    figure = gallery(shards, labels, load_images("sample"), Drawn())
    figure.draw_without_rendering()
    titles = [ax.title for part in figure.subfigs for ax in part.axes if ax.get_title()]
    titles += [part._suptitle for part in figure.subfigs]
    boxes = [title.get_window_extent() for title in titles]
    assert len(boxes) == len(variants) * (2 + solvers)
    within(figure, boxes)
    apart([*boxes, *(ax.get_window_extent() for part in figure.subfigs for ax in part.axes)])


@given(st.text("ab=1,[]", min_size=1, max_size=60), st.integers(1, 30))
def test_a_folded_label_has_all_its_characters_and_no_longer_line(label, width):
    lines = folded(label, width).split("\n")
    assert "".join(lines) == label
    assert max(map(len, lines)) <= width


def test_a_label_is_folded_between_its_parameters():
    assert folded("rrr[nonneg=true,beta=0.5]", 16) == "rrr[nonneg=true,\nbeta=0.5]"


# ---- what has no curve


def test_a_solver_that_does_not_iterate_is_said_to_have_no_curve(run, monkeypatch, tmp_path):
    register_solvers(monkeypatch, Blank)
    done = run(solvers="blank,er[iterations=20]", variants="none", images=1, figures=True)
    assert "no convergence curve for blank (no iterations)" in " ".join(done.err.split())
    assert (tmp_path / "out" / "figures" / "convergence.png").is_file()
    done = run("other", solvers="er[iterations=20]", variants="none", images=1, figures=True)
    assert "no convergence curve" not in done.err
    run("other", solvers="blank", variants="none", images=1, figures=True)
    assert not (tmp_path / "other" / "figures" / "convergence.png").exists(), "it would be that of another solver"
