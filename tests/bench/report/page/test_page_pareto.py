"""The picture of error against cost marks what nothing beats, and its labels can be read."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from bench.report.page.pareto import Point, frontier, pareto

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

    assert sorted(p.label for p in frontier(points)) == sorted(p.label for p in points if not beaten(p))


def test_labels_cover_neither_each_other_nor_a_point_and_the_best_solvers_have_theirs(rng):
    points = [
        point(f"solver[beta={i}]", cost, error)
        for i, (cost, error) in enumerate(zip(10 ** rng.uniform(0, 2, 25), 10 ** rng.uniform(-4, 0, 25), strict=True))
    ]
    figure = pareto({"": points}, ["box"])
    (ax,) = figure.axes
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert {p.label for p in frontier(points)} <= {text.get_text() for text in ax.texts}
    places = ax.transData.transform([(p.cost[0], p.error[0]) for p in points])
    assert not any(box.contains(*place) for box in boxes for place in places)
    assert all(ax.bbox.padded(1).contains(*corner) for box in boxes for corner in box.corners())


def test_each_problem_has_its_own_axes_on_one_scale_and_an_error_of_zero_has_a_place():
    figure = pareto(
        {"none": [point("er", 1, 0.0)], "flip": [point("er", 1, 0.5)], "shift": [point("rrr", 9, 0.1)]}, ["box"]
    )
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title("left") for ax in shown] == ["none", "flip", "shift"]
    assert len({ax.get_ylim() for ax in shown}) == 1
    assert 0 < shown[0].get_ylim()[0] < 1e-11
