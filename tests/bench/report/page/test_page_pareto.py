"""The picture of error against cost marks what nothing beats, and its labels can be read."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.report.page.pareto import MARKS, Point, best, marks, pareto

NUMBERS = st.floats(0.001, 1000)


def point(label: str, cost: float, error: float, group: str = "box") -> Point:
    return Point(label, group, (cost, cost / 1.1, cost * 1.1), (error, error / 1.2, error * 1.2))


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12, unique=True))
def test_the_frontier_is_what_no_other_solver_beats(places):
    points = [point(str(i), *place) for i, place in enumerate(places)]

    def beaten(one: Point) -> bool:
        return any(
            other is not one and other.cost[0] <= one.cost[0] and other.error[0] <= one.error[0] for other in points
        )

    assert sorted(p.label for p in best(points)) == sorted(p.label for p in points if not beaten(p))


def test_labels_cover_neither_each_other_nor_a_point_and_the_best_solvers_have_theirs(rng):
    points = [
        point(f"solver[beta={i}]", cost, error)
        for i, (cost, error) in enumerate(zip(10 ** rng.uniform(0, 2, 25), 10 ** rng.uniform(-4, 0, 25), strict=True))
    ]
    figure = pareto({"": points}, ["box"])
    (ax,) = figure.axes
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert {p.label for p in best(points)} <= {text.get_text() for text in ax.texts}
    places = ax.transData.transform([(p.cost[0], p.error[0]) for p in points])
    assert not any(box.contains(*place) for box in boxes for place in places)
    assert all(ax.bbox.padded(1).contains(*corner) for box in boxes for corner in box.corners())


def test_a_label_lies_on_no_interval_where_there_is_a_place_beside_it():
    points = [point("er", 1, 0.1), Point("hio", "box", (1.5, 0.5, 4), (0.1, 0.02, 0.5)), point("rrr", 3, 0.03)]
    figure = pareto({"": points}, ["box"])
    (ax,) = figure.axes
    assert len(ax.texts) == 3
    for text in ax.texts:
        box = text.get_window_extent()
        for one in points:
            along = np.linspace(0, 1, 200)[:, None]
            bars = [[(one.cost[1], one.error[0]), (one.cost[2], one.error[0])]]
            bars += [[(one.cost[0], one.error[1]), (one.cost[0], one.error[2])]]
            for start, end in map(ax.transData.transform, bars):
                assert not any(box.contains(*place) for place in (1 - along) * start + along * end), text.get_text()


@given(st.floats(-12, 6), st.floats(0.42, 14))
def test_marks_are_few_and_apart(lowest, decades):
    low, high = 10**lowest, 10 ** (lowest + decades)
    found = marks(low, high)
    assert 1 <= len(found) <= MARKS
    assert all(low <= mark <= high for mark in found)
    apart = np.diff(np.log(found)) / np.log(high / low)
    assert (apart > 0.07).all(), "a fourteenth of the axis"


def test_times_that_are_close_have_no_labels_that_overlap():
    figure = pareto({"": [point("er", 2.5, 0.1), point("hio", 2.9, 0.2)]}, ["box"])
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert len(boxes) > 1
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_each_problem_has_its_own_axes_on_one_scale_and_an_error_of_zero_has_a_place():
    figure = pareto(
        {"none": [point("er", 1, 0.0)], "flip": [point("er", 1, 0.5)], "shift": [point("rrr", 9, 0.1)]}, ["box"]
    )
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title("left") for ax in shown] == ["none", "flip", "shift"]
    assert len({ax.get_ylim() for ax in shown}) == 1
    assert 0 < shown[0].get_ylim()[0] < 1e-11
