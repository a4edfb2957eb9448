"""The first screen: what was measured, the best solver for each kind of information, and what solvers cost."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from bench.report.page import words
from bench.report.page.content import Content, uses
from bench.report.page.pareto import Point, pareto
from bench.report.page.svg import inline


@dataclass(frozen=True)
class Ranking:
    """Lines that can be ranked: of solvers that gave an image, on the same problem, from the same measurements."""

    title: str
    lines: list[dict[str, Any]]
    known: bool  # are the objects, so that there are errors


def answer(content: Content) -> dict[str, Any]:
    """A table with a line for each kind of information and a column for each ranking; the picture beside it."""
    digits = words.digits_of_shares(int(content.table["images"].max()))
    ranked = list(rankings(content))
    table = []
    for kind in content.information:
        cells = []
        for ranking in ranked:
            alike = [line for line in ranking.lines if uses(line) == kind]
            best = min(alike, key=_rank, default=None)
            cells.append(best and _cell(content, best, digits, min(map(_score, ranking.lines)), len(alike)))
        table.append({"information": kind, "cells": cells})
    points = {ranking.title: _points(content, ranking.lines) for ranking in ranked if ranking.known}
    timed = {title: found for title, found in points.items() if found}
    return {
        "heading": "The best solver for each kind of information",
        "columns": [ranking.title for ranking in ranked],
        "apart": len(ranked) > len(content.problems),
        "table": table,
        "picture": _picture(content, timed) if timed else None,
        "conditions": _conditions(content),
        "unknown": bool(content.unknown),
        "one_image": bool((content.table["images"] == 1).any()),
        "left_out": len({content.called(line) for line in content.lines if not content.answered(line)}),
    }


def _score(line: dict[str, Any]) -> float:
    """The error, or the residual where there is none."""
    return line["residual"] if math.isnan(line["mse"]) else line["mse"]


def rankings(content: Content) -> Iterator[Ranking]:
    """What can be ranked, problem by problem. Errors on other images, or under other noise, are no better or worse."""
    for problem, name in content.problems.items():
        groups: dict[frozenset[str], list[dict[str, Any]]] = {}
        for line in filter(content.answered, content.of(problem)):
            groups.setdefault(frozenset(content.rows(line)["measurement"]), []).append(line)
        titles = [name] if len(groups) < 2 else [f"{name}, {where}" for where in _told_apart(content, groups.values())]
        for title, lines in zip(titles, groups.values() or [[]], strict=True):
            yield Ranking(title, lines, problem not in content.unknown)


def _told_apart(content: Content, groups: Collection[list[dict[str, Any]]]) -> list[str]:
    """Of each group how many images it has, and of which runs and seeds."""
    said = [_where(content, lines) for lines in groups]
    return [f"{where} ({i})" if said.count(where) > 1 else where for i, where in enumerate(said, start=1)]


def _where(content: Content, lines: list[dict[str, Any]]) -> str:
    runs = f" of {words.listed(line['run'] for line in lines)}" if len(content.runs) > 1 else ""
    seeds = sorted({int(seed) for line in lines for seed in content.rows(line)["seed"].unique()})
    images = words.counted(lines[0]["images"], "image")
    return f"{images}{runs}, seed{'s' * (len(seeds) > 1)} {words.listed(map(str, seeds))}"


def _rank(line: dict[str, Any]) -> tuple[float, float]:
    cost = line["solve_ms_per_image_median"]
    return _score(line), math.inf if math.isnan(cost) else cost


def _cell(content: Content, line: dict[str, Any], digits: int, lowest: float, rivals: int) -> dict[str, Any]:
    """The best one of so many solvers."""
    told, known = (not math.isnan(line[name]) for name in ("mse", "mse_low"))
    return {
        "solver": content.called(line),
        "error": words.error(line["mse"]) if told else f"residual {words.error(line['residual'])}",
        "interval": f"{words.error(line['mse_low'])} to {words.error(line['mse_high'])}" if known else "",
        "success": words.share(line["success_rate"], digits),
        "cost": words.time(line["solve_ms_per_image_median"]),
        "lowest": _score(line) == lowest,
        "only": rivals == 1,
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
    said = "Mean error over wall time per image, both logarithmic, with intervals. All results below have the numbers."
    return inline("pareto", said, lambda: pareto(facets, content.information), tips)


def _conditions(content: Content) -> str:
    """On how many threads the times were taken, and what was beside them."""
    threads = sorted({int(count) for count in content.table["threads"].dropna()})
    if not threads:
        return ""
    beside = bool(content.table["workers"].max() > 1)
    return f"on {words.listed(map(str, threads))} thread{'s' * (threads != [1])}" + (
        "; shards that were solved side by side have slowed each other down" * beside
    )
