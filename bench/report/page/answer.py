"""The first screen: what was measured, the best solver for each kind of information, and what solvers cost."""

from __future__ import annotations

import math
from typing import Any

from bench.report.page import words
from bench.report.page.content import Content, uses
from bench.report.page.pareto import Point, pareto
from bench.report.page.svg import inline


def answer(content: Content) -> dict[str, Any]:
    """A table with a line for each kind of information and a column for each problem; the picture beside it."""
    digits = words.digits_of_shares(int(content.table["images"].max()))
    working = {problem: list(filter(content.answered, content.of(problem))) for problem in content.problems}
    table = []
    for kind in content.information:
        cells = []
        for there in working.values():
            best = min((line for line in there if uses(line) == kind), key=_rank, default=None)
            cells.append(best and _cell(content, best, digits, min(line["mse"] for line in there)))
        table.append({"information": kind, "cells": cells})
    points = {content.problems[problem]: _points(content, lines) for problem, lines in working.items()}
    timed = {name: found for name, found in points.items() if found}
    return {
        "heading": "The best solver for each kind of information",
        "problems": list(content.problems.values()),
        "table": table,
        "picture": _picture(content, timed) if timed else None,
        "conditions": _conditions(content),
        "one_image": bool((content.table["images"] == 1).any()),
        "left_out": len({content.called(line) for line in content.lines if not content.answered(line)}),
    }


def _rank(line: dict[str, Any]) -> tuple[float, float]:
    cost = line["solve_ms_per_image_median"]
    return line["mse"], math.inf if math.isnan(cost) else cost


def _cell(content: Content, line: dict[str, Any], digits: int, lowest: float) -> dict[str, Any]:
    known = not math.isnan(line["mse_low"])
    return {
        "solver": content.called(line),
        "error": words.error(line["mse"]),
        "interval": f"{words.error(line['mse_low'])} to {words.error(line['mse_high'])}" if known else "",
        "success": words.share(line["success_rate"], digits),
        "cost": words.time(line["solve_ms_per_image_median"]),
        "lowest": line["mse"] == lowest,
    }


def _points(content: Content, lines: list[dict[str, Any]]) -> list[Point]:
    return [
        Point(
            content.called(line),
            uses(line),
            tuple(line[f"solve_ms_per_image_{bound}"] for bound in ("median", "low", "high")),
            (line["mse"], line["mse_low"], line["mse_high"]),
        )
        for line in lines
        if line["solve_ms_per_image_median"] > 0
    ]


def _picture(content: Content, facets: dict[str, list[Point]]) -> Any:
    tips = {
        f"point-{k}-{i}": f"{point.label}: error {words.error(point.error[0])}, {words.time(point.cost[0])} per image"
        for k, points in enumerate(facets.values())
        for i, point in enumerate(points)
    }
    said = "Mean error over time per image, both logarithmic, with intervals. The table of all results has the numbers."
    return inline("pareto", said, lambda: pareto(facets, content.information), tips)


def _conditions(content: Content) -> str:
    """Under which conditions the times were taken."""
    threads = sorted({int(count) for count in content.table["threads"].dropna()})
    if not threads:
        return ""
    beside = bool(content.table["workers"].max() > 1)
    return f"on {words.listed(map(str, threads))} thread{'s' * (threads != [1])}" + (
        "; shards that were solved side by side have slowed each other down" * beside
    )
