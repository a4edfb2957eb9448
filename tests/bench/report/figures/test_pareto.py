"""What an error costs is that of the tables."""

from __future__ import annotations

import math

import pytest
from drawn import made

from bench.errors import RequestError
from bench.report.figures.look import Look
from bench.report.figures.pareto import costs, pareto


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


def test_an_image_that_a_solver_failed_on_leaves_the_cost_of_the_others():
    source = made(["er", "rrr"], images=6)
    source.rows.loc[2, ["status", "transforms"]] = "failed", 0
    source.rows.loc[source.rows["solver"] == "rrr", "status"] = "failed"
    er, rrr = costs(source).to_dict("records")
    known = source.rows.loc[[0, 1, 3, 4, 5], "transforms"]
    assert er["transforms_low"] < known.mean() < er["transforms_high"]
    assert math.isnan(rrr["transforms_low"])


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
