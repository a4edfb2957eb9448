"""A gallery shows what was kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows
from drawn import LONG, PATH, Known, apart, pictured, texts, within
from matplotlib.figure import Figure

from bench.errors import RequestError
from bench.report.figures.gallery import Choice, gallery, left_out
from bench.report.figures.look import Look


@pytest.mark.slow
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


def test_a_gallery_shows_truth_reconstruction_and_error_on_the_scale_of_the_truth():
    source = pictured(["er"], images=1)
    (picture,) = source.pictures
    truth, shown, error, _ = (image.get_array() for image in gallery(source, Look()).axes[0].images)
    colours = [np.round(255 * values / picture.truth.max()) for values in (picture.truth, picture.reconstruction)]
    for drawn, expected in zip((truth, shown), colours, strict=True):
        np.testing.assert_allclose(255 * drawn[..., 0], expected, atol=1.01)
    darkest = np.unravel_index(error.sum(axis=2).argmin(), error.shape[:2])
    assert darkest == np.unravel_index(np.abs(picture.truth - picture.reconstruction).argmin(), error.shape[:2])


def test_an_svg_file_of_a_gallery_has_no_image_of_several_rows(tmp_path):
    for variants in (("none",), ("none", "shift")):
        gallery(pictured(["er", "rrr", "hio"], variants=variants), Look()).savefig(tmp_path / "gallery.svg")
        shown = (tmp_path / "gallery.svg").read_text()
        assert shown.count("<image ") >= 8, "the truth, three solvers with their errors, and the scale of those"


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
