"""Figures show what lies on disk: every solver told from the others, nothing cut, nothing on top of something else."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import style
from matplotlib.figure import Figure

from bench.errors import RequestError
from bench.report.figures.convergence import convergence
from bench.report.figures.gallery import Choice, gallery, left_out
from bench.report.figures.look import Look, folded, line_styles
from bench.report.figures.over import AXES, error_over
from bench.report.figures.pareto import costs, pareto
from bench.report.figures.profile import error_ratios, profile, times
from bench.report.figures.source import Source
from bench.report.pictures import Picture
from bench.report.tables import summarise
from bench.score.references import USES
from datasets.problem import COLUMNS, Problem

LONG = "rrr[nonneg=true,iterations=1000,starts=5,beta=0.{}]"
PATH = "unet_a[weights=" + "/a/long/way/to/some/weights" * 8 + ".safetensors]"


class Known(Source):
    """A run whose tables are given instead of read."""

    def __init__(self, **tables: Any) -> None:
        self.folder, self._solvers, self._where = Path("run"), [], {}
        vars(self).update({"references": tables.get("summary", pd.DataFrame()).iloc[:0]} | tables)


def made(labels, *, problems=(), images=8, seeds=1, seed=0) -> Known:
    """A run of these solvers, with errors and costs drawn at random."""
    rng = np.random.default_rng(seed)
    problems = problems or (Problem(dataset="sample", variant="shift_flip"),)
    parts = [
        result_rows(label, rng.random(images), seed=one).assign(
            **problem.columns(),
            transforms=rng.integers(1, 1000, images),
            **dict.fromkeys(["pixel_mse", "residual", "iterations", "starts"], 0.5),
        )
        for problem in problems
        for label in labels
        for one in range(seeds)
    ]
    rows = pd.concat(parts, ignore_index=True)
    summary = summarise(rows)
    timing = summary[[*COLUMNS, "solver"]].assign(threads=2, workers=1)
    middle = rng.random(len(timing)) * 100 + 1
    for name, factor in (("median", 1.0), ("low", 0.5), ("high", 2.0)):
        timing[f"solve_ms_per_image_{name}"] = factor * middle
    return Known(rows=rows, summary=summary, timing=timing)


def curves(labels, points=5, seconds=None, problems=(), seeds=(0,), images=16) -> Known:
    age = np.arange(1, points + 1)
    parts = [
        pd.DataFrame(
            {
                **problem.columns(),
                "solver": label,
                "seed": seed,
                "images": images,
                "iterations": 20 * age,
                "seconds": 0.01 * age if seconds is None else seconds,
                "mse": 0.5**age,
                "residual": 0.4**age,
            }
        )
        for problem in problems or (Problem(dataset="sample"),)
        for label in labels
        for seed in seeds
    ]
    return Known(curves=pd.concat(parts, ignore_index=True))


def pictured(labels, *, variants=("shift_flip",), images=3, kind=np.float32, shape=(6, 5), seed=1) -> Known:
    """A run with pictures of random objects, of which every solver gets a part right."""
    rng = np.random.default_rng(seed)
    found = []
    for variant in variants:
        truths = rng.random((images, *shape)) * (np.exp(1j) if np.issubdtype(kind, np.complexfloating) else 1)
        for label in labels:
            for image, truth in enumerate(truths.astype(kind)):
                shown = truth * rng.random()
                error = float(np.linalg.norm(shown - truth) ** 2 / np.linalg.norm(truth) ** 2)
                problem = Problem(dataset="sample", variant=variant)
                found.append(Picture(problem, label, 0, 10 + image, truth, shown, error))
    return Known(pictures=found)


# ---- nothing is cut, and nothing lies on top of something else


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts if text.get_text()]


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


LABELS = {
    "one": ["er"],
    "four": [LONG.format(i) for i in range(4)],
    "eighteen": [LONG.format(i) for i in range(18)],
    "long": ["er", PATH],
}


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


# ---- every curve is a line of its own


NOISY = tuple(Problem(dataset="sample", variant="flip", photons=count) for count in (1e5, 1e4))


def legend(figure: Figure) -> list[str]:
    return [text.get_text().replace("\n", "") for text in figure.legends[0].get_texts()]


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


@pytest.mark.parametrize("kind", [np.float32, np.complex64])
@pytest.mark.parametrize(
    ("labels", "variants"),
    [
        (["er"], ("none",)),
        (["er", PATH], ("none", "shift_flip")),
        ([LONG.format(i) for i in range(6)], ("none", "flip", "shift")),
    ],
    ids=["one", "long", "many"],
)
@pytest.mark.parametrize("look", [Look(), Look(title="all of them"), Look(size=(12, 16))], ids=["", "title", "size"])
def test_in_a_gallery_words_and_images_lie_beside_each_other(kind, labels, variants, look):
    figure = gallery(pictured(labels, variants=variants, kind=kind), look)
    figure.draw_without_rendering()
    (ax,) = figure.axes
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    boxes += [image.get_window_extent() for image in ax.images]
    within(figure, boxes)
    apart(boxes)
    rows = (2 + 3 * len(labels)) if kind is np.complex64 else 1 + 2 * len(labels)
    assert len(ax.images) == len(variants) * 3 * rows + 1 + (kind is np.complex64)
    tile = ax.images[0].get_window_extent()
    assert tile.height / tile.width == pytest.approx(6 / 5)
    shown = {text.replace("\n", "") for text in texts(figure)}
    assert {*labels, "truth magnitude" if kind is np.complex64 else "truth", "error", "image 10"} <= shown
    assert set(variants) <= shown


def test_a_gallery_that_does_not_fit_says_what_would():
    with pytest.raises(RequestError, match=r"--size 2x1: 3 images in 3 rows do not fit; \d+x\d+ would do"):
        gallery(pictured(["er"]), Look(size=(2, 1)))


# ---- no two solvers look alike


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


# ---- a gallery shows what was kept


def test_a_gallery_shows_truth_reconstruction_and_error_on_the_scale_of_the_truth():
    source = pictured(["er"], images=1)
    (picture,) = source.pictures
    truth, shown, error, _ = (image.get_array() for image in gallery(source, Look()).axes[0].images)
    colours = [np.round(255 * values / picture.truth.max()) for values in (picture.truth, picture.reconstruction)]
    for drawn, expected in zip((truth, shown), colours, strict=True):
        np.testing.assert_allclose(255 * drawn[..., 0], expected, atol=1.01)
    darkest = np.unravel_index(error.sum(axis=2).argmin(), error.shape[:2])
    assert darkest == np.unravel_index(np.abs(picture.truth - picture.reconstruction).argmin(), error.shape[:2])


def test_an_image_without_a_reconstruction_leaves_a_gap_that_says_so():
    source = pictured(["er", "rrr"], images=2)
    vars(source)["pictures"] = [one for one in source.pictures if (one.solver, one.image) != ("rrr", 11)]
    figure = gallery(source, Look())
    assert "no image" in texts(figure)
    assert len(figure.axes[0].images) == 2 * 5 - 2 + 1


def test_an_image_that_is_not_finite_is_white():
    source = pictured(["er"], images=1)
    (picture,) = source.pictures
    picture.reconstruction[:] = np.nan
    for image in gallery(source, Look()).axes[0].images[1:3]:
        assert (image.get_array() == 1).all()


def test_the_phase_is_the_same_colour_whichever_way_round_it_comes():
    source = pictured(["er"], images=1, kind=np.complex64)
    (picture,) = source.pictures
    picture.truth[:] = 1 + 1e-7j
    picture.truth[0] = 1 - 1e-7j
    phase = gallery(source, Look()).axes[0].images[1].get_array()
    np.testing.assert_allclose(phase, np.broadcast_to(phase[0, 0], phase.shape), atol=0.1)


def test_the_worst_and_the_best_images_are_those_of_each_solver():
    source = pictured(["er", "rrr"], images=5)
    for choice, reverse in ((Choice(worst=2), True), (Choice(best=2), False)):
        expected = []
        for label in ("er", "rrr"):
            ranked = sorted((one for one in source.pictures if one.solver == label), key=lambda one: one.error)
            expected += [f"image {one.image}" for one in (ranked[::-1] if reverse else ranked)[:2]]
        assert [text for text in texts(gallery(source, Look(), choice)) if "image" in text] == expected


def test_chosen_images_are_shown_in_their_order_and_others_refused():
    shown = texts(gallery(pictured(["er"], images=5), Look(), Choice(images=(13, 11))))
    assert [text for text in shown if "image" in text] == ["image 13", "image 11"]
    with pytest.raises(RequestError, match="no picture of image 7: choose from 10, 11"):
        gallery(pictured(["er"], images=2), Look(), Choice(images=(7,)))


def joined(*sources: Known) -> Known:
    return Known(pictures=[picture for source in sources for picture in source.pictures])


def of(source: Known, **settings: Any) -> Known:
    """The pictures, of another problem."""
    return Known(
        pictures=[replace(one, problem=one.problem.model_copy(update=settings)) for one in source.pictures]
    )  # fmt: skip


def rows_of(figure: Figure) -> list[tuple[str, int]]:
    """What is written at the left of every row, from above, and how many images stand in it."""
    figure.draw_without_rendering()
    (ax,) = figure.axes
    tiles = [image.get_window_extent() for image in ax.images if len(image.get_array()) > 1]  # no scale of colours
    names = [text for text in ax.texts if text.get_ha() == "right"]
    middles = {text: (box := text.get_window_extent()).y0 + box.height / 2 for text in names}
    return [
        (text.get_text(), sum(bool(tile.y0 < middle < tile.y1) for tile in tiles))
        for text, middle in sorted(middles.items(), key=lambda item: -item[1])
    ]


def test_complex_and_real_objects_have_rows_and_names_of_their_own():
    phased = of(pictured(["er"], images=2, kind=np.complex64), object="complex[phase=1]")
    flipped = of(phased, variant="flip")
    real = pictured(["er"], images=3)
    figure = gallery(joined(phased, real, flipped), Look())
    assert rows_of(figure) == [
        ("truth magnitude", 4), ("truth phase", 4), ("er", 4), ("phase", 4), ("error", 4),
        ("truth", 3), ("er", 3), ("error", 3),
    ]  # fmt: skip
    boxes = [part.get_window_extent() for part in (*figure.axes[0].texts, *figure.axes[0].images)]
    within(figure, boxes)
    apart(boxes)


def test_a_solver_without_a_picture_of_a_complex_object_has_all_its_rows():
    source = of(pictured(["er", "rrr"], variants=("none", "flip"), kind=np.complex64), object="complex[phase=1]")
    vars(source)["pictures"] = [one for one in source.pictures if (one.solver, one.problem.variant) != ("rrr", "flip")]
    assert [count for _, count in rows_of(gallery(source, Look()))] == [6, 6, 6, 6, 6, 3, 3, 3]


def test_images_that_one_of_several_problems_has_are_shown_and_blank_where_it_has_none():
    source = pictured(["er"], variants=("none", "flip"), images=4)
    vars(source)["pictures"] = [one for one in source.pictures if one.problem.variant == "none" or one.image < 12]
    figure = gallery(source, Look(), Choice(images=(13, 10)))
    assert rows_of(figure) == [("truth", 3), ("er", 3), ("error", 3)]
    assert texts(figure).count("no image") == 1
    assert texts(figure).count("image 13") == 2
    with pytest.raises(RequestError, match="no picture of image 14: choose from 10, 11, 12, 13"):
        gallery(source, Look(), Choice(images=(14,)))


def test_every_solver_with_pictures_is_seen_whichever_images_it_has():
    source = pictured(["er", "hio", "rrr"], variants=("none", "flip", "shift", "shift_flip"), images=9)
    own = {"er": range(10, 14), "hio": range(10, 14), "rrr": range(17, 19)}
    vars(source)["pictures"] = [one for one in source.pictures if one.image in own[one.solver]]
    shown = texts(gallery(source, Look()))
    for image in (10, 11, 12, 17):
        assert shown.count(f"image {image}") == 4
    assert not {"image 13", "image 18"} & set(shown)
    assert "rrr" in shown


def test_pictures_of_other_seeds_are_shown_where_a_solver_or_a_problem_has_no_others():
    two = [replace(one, seed=7) for one in pictured(["rrr"], variants=("none", "flip"), images=1).pictures]
    figure = gallery(joined(pictured(["er"], variants=("none",), images=1), Known(pictures=two)), Look())
    assert {"none, seed 0", "none, seed 7", "flip, seed 7"} <= set(texts(figure))
    assert texts(figure).count("no image") == 3


def test_the_title_of_one_problem_alone_says_its_setting_beside_one_narrow_image():
    source = of(pictured(["er"], images=1), photons=1e4, mask="beamstop[width=3]", split="train")
    figure = gallery(source, Look())
    figure.draw_without_rendering()
    assert "shift_flip, train, 1e4 photons, beamstop[width=3]" in texts(figure)
    boxes = [part.get_window_extent() for part in (*figure.axes[0].texts, *figure.axes[0].images)]
    within(figure, boxes)
    apart(boxes)


@pytest.mark.parametrize("choice", [Choice(worst=2), Choice(best=2)])
def test_a_solver_without_a_picture_says_so_among_the_worst_and_the_best(choice):
    source = pictured(["er", "rrr"], variants=("none", "flip"))
    vars(source)["pictures"] = [one for one in source.pictures if (one.solver, one.problem.variant) != ("rrr", "flip")]
    assert texts(gallery(source, Look(), choice)).count("no image") == 1


def test_solvers_without_any_picture_are_named_with_the_reason():
    labels = ["er", "hio", "rrr", "raar", "alm"]
    source = pictured(labels, images=2)
    assert left_out(Known(pictures=source.pictures, labels=labels)) == ""
    parts = [result_rows(label, [0.1] * 14, status="failed" if label == "hio" else "stopped") for label in labels]
    partly = parts[3]  # failed on an image that was kept, but not on all of them
    partly.loc[partly["image"] == 10, "status"] = "failed"
    kept = [one for one in source.pictures if one.solver in ("er", "alm")]
    known = Known(pictures=kept, labels=labels, rows=pd.concat(parts, ignore_index=True))
    assert left_out(known) == "rrr, raar (no picture was kept); hio (failed on every image that was kept)"


# ---- what an error costs


def test_costs_are_those_of_the_tables():
    source = made(["er", "rrr"], seeds=2)
    found = costs(source)
    for line in found.to_dict("records"):
        rows = source.rows[source.rows["solver"] == line["solver"]]
        assert line["transforms"] == pytest.approx(rows["transforms"].mean())
        assert line["transforms_low"] < line["transforms"] < line["transforms_high"]
        assert line["mse_low"] <= line["mse"] <= line["mse_high"]
        assert line["seconds_low"] == line["seconds"] / 2
    assert (1e3 * found["seconds"]).tolist() == source.timing["solve_ms_per_image_median"].tolist()


def test_no_point_lies_below_and_left_of_the_line_of_the_best():
    source = made([f"solver{i}" for i in range(9)])
    points = costs(source)
    for ax, cost in zip(pareto(source, Look()).axes, ("seconds", "transforms"), strict=True):
        x, y = ax.lines[0].get_data()
        on_the_line = set(zip(x, y, strict=True))
        for point in points.to_dict("records"):
            beaten = ((points[cost] < point[cost]) & (points["mse"] <= point["mse"])).any() or (
                (points[cost] <= point[cost]) & (points["mse"] < point["mse"])
            ).any()
            assert ((point[cost], point["mse"]) in on_the_line) == (not beaten)


def test_a_solver_that_never_came_to_an_end_is_no_point():
    source = made(["er", "rrr"])
    source.summary.loc[source.summary["solver"] == "rrr", "information"] = ""
    assert list(costs(source)["solver"]) == ["er"]
    source.summary["information"] = ""
    with pytest.raises(RequestError, match="all solvers failed"):
        pareto(source, Look())


# ---- how often a solver is good


@given(st.integers(0, 2**32 - 1))
def test_the_profile_of_a_solver_is_the_share_of_images_within_a_factor_of_the_best(seed):
    rng = np.random.default_rng(seed)
    errors = {label: 10 ** rng.uniform(-6, 0, 12) for label in ("er", "rrr", "hio")}
    ratios = error_ratios(pd.concat([result_rows(label, of) for label, of in errors.items()], ignore_index=True))
    for factor in (1, 2, 10, 1e5):
        for label, of in errors.items():
            expected = sum(
                max(of[i], 1e-4) <= factor * max(1e-4, min(other[i] for other in errors.values())) for i in range(12)
            )
            assert (ratios[label] <= factor * (1 + 1e-12)).sum() == expected


def test_a_failure_is_never_within_a_factor_of_the_best():
    rows = [result_rows("er", np.array([0.5, 0.5])), result_rows("rrr", np.ones(2), status="failed")]
    assert np.isinf(error_ratios(pd.concat(rows))["rrr"]).all()
    assert (error_ratios(pd.concat(rows))["er"] == 1).all()


def test_only_measurements_that_all_solvers_have_are_in_a_profile():
    """Of image 0 they have one noise in common, of image 1 none: one solver's seed 0 is another measurement there."""
    common, other = np.array([0.1, 0.9]), np.array([0.8, 0.2])
    both = [
        *(
            result_rows("er", errors, noise=noise, seed=seed)
            for errors, noise, seed in ((common, "a", 0), (other, "b", 1))
        ),
        result_rows("rrr", 2 * common, noise="a").query("image == 0"),
        result_rows("rrr", other, noise="c").query("image == 1"),
    ]
    ratios = error_ratios(pd.concat(both, ignore_index=True))
    assert ratios.index.tolist() == [0]
    assert ratios.loc[0].to_dict() == pytest.approx({"er": 1, "rrr": 2})


def test_a_profile_of_solvers_without_a_common_measurement_says_so():
    source = made(["er", "rrr"])
    source.rows.loc[source.rows["solver"] == "rrr", "measurement"] = "another"
    assert error_ratios(source.rows).empty
    assert "no measurement that all solvers have" in texts(profile(source, Look()))


@pytest.mark.filterwarnings("error")
def test_the_legend_of_a_profile_has_the_solvers_of_every_panel():
    one, other = (Problem(dataset="sample", variant=variant) for variant in ("none", "flip"))
    parts = [made(["er"], problems=(one,)), made(["rrr", "er"], problems=(other,)), made(["hio"], problems=(one,))]
    joined = Known(**{
        name: pd.concat([getattr(part, name) for part in parts], ignore_index=True)
        for name in ("rows", "summary", "timing")
    })  # fmt: skip
    figure = profile(joined, Look())
    assert legend(figure) == ["er", "rrr", "hio"]
    colours = dict(zip(legend(figure), [line.get_color() for line in figure.legends[0].get_lines()], strict=True))
    drawn = [{line.get_color() for line in ax.lines} for ax in figure.axes]
    assert drawn[0] == {colours["er"], colours["hio"]}
    assert drawn[2] == {colours["er"], colours["rrr"]}


def test_images_share_the_time_of_a_shard_by_their_transforms():
    source = made(["er", "unet_a"], images=6)
    source.rows["mse"] = [0.001, 0.5] * 6
    source.rows.loc[source.rows["solver"] == "unet_a", "transforms"] = 0
    found = times(source.rows, source.timing)
    mean = dict(zip(source.timing["solver"], source.timing["solve_ms_per_image_median"] / 1e3, strict=True))
    transforms = source.rows.loc[source.rows["solver"] == "er", "transforms"].to_numpy()
    recovered, _, count = found["er"]
    np.testing.assert_allclose(recovered, (mean["er"] * transforms / transforms.mean())[::2])
    assert count == 6
    np.testing.assert_allclose(found["unet_a"][0], [mean["unet_a"]] * 3)


def test_a_profile_ends_at_the_share_that_was_ever_reached():
    source = made(["er", "rrr"], images=20)
    source.rows["mse"] = np.where(np.arange(40) % 4 == 0, 0.001, 0.5)
    ratio, budget = profile(source, Look()).axes
    assert [line.get_ydata()[-1] for line in budget.lines] == [0.25, 0.25]
    assert [line.get_ydata()[-1] for line in ratio.lines] == [1, 1]
    for line in [*ratio.lines, *budget.lines]:
        assert (np.diff(line.get_xdata()) >= 0).all()
        assert (np.diff(line.get_ydata()) >= 0).all()


# ---- error over a setting


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
