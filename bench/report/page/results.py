"""The table of all results: a line for each run, problem and solver."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.errors import visible
from bench.report.page import words
from bench.report.page.content import Content, uses
from bench.report.tables import RESOLUTION
from datasets.problem import shortest

Line = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        keys: its names in a CSV file, of which each has a number of its own.
        kind: label, text or number.
        text: what is shown of a line.
        shown: from the beginning; others can be chosen.
        choice: lines can be chosen by it.
    """

    keys: tuple[str, ...]
    title: str
    kind: str
    text: Callable[[Line], str]
    shown: bool = True
    choice: bool = False

    def cell(self, line: Line) -> dict[str, Any]:
        values = [line[key] for key in self.keys] if self.kind == "number" else []
        known = all(not math.isnan(value) for value in values)
        exact = " ".join("inf" if math.isinf(value) else f"{value:.12g}" for value in values)
        return {"text": self.text(line) if known else words.UNKNOWN, "exact": exact if known else ""}


def results(content: Content) -> dict[str, Any]:
    """Columns, and the lines with a cell for each."""
    shown = columns(content)
    return {
        "heading": "All results",
        "columns": shown,
        "lines": [[column.cell(line) for column in shown] for line in content.lines],
    }


def columns(content: Content) -> list[Column]:
    """What a line of the table has; a setting that is the same throughout has no column."""
    digits = words.digits_of_shares(int(content.table["images"].max()))

    def number(key: str, title: str, write: Callable[[float], str], shown: bool = True) -> Column:
        return Column((key,), title, "number", lambda line: write(line[key]), shown)

    def interval(name: str, title: str, write: Callable[[float], str], shown: bool) -> Column:
        keys = (f"{name}_low", f"{name}_high")
        return Column(keys, title, "number", lambda line: f"{write(line[keys[0]])} – {write(line[keys[1]])}", shown)

    def percent(value: float) -> str:
        return words.share(value, digits)

    runs = [Column(("run",), "run", "text", lambda line: line["run"], choice=True)] if len(content.runs) > 1 else []
    of_seeds = [
        number("agreement", "seeds that agree", percent),
        number(RESOLUTION, "half period in pixels", words.number),
    ]
    return [
        Column(("solver",), "solver", "label", lambda line: visible(str(line["solver"]))),
        *runs,
        *(_setting(name) for name in content.axes),
        number("mse", "mean error", words.error),
        interval("mse", "95% interval", words.error, True),
        number("median", "median", words.error),
        number("success_rate", "below 0.01", percent),
        interval("success", "95% interval of that", percent, False),
        number("strict_success_rate", "below 0.0001", percent, False),
        number("solve_ms_per_image_median", "wall time per image", words.time),
        number("threads", "threads", words.number, False),
        number("transforms", "transforms per image", words.number),
        number("iterations", "iterations", words.number, False),
        number("starts", "starts", words.number, False),
        number("residual", "median residual", words.error, bool(content.unknown)),
        *(column for column in of_seeds if column.keys[0] in content.table),
        number("pixel_mse", "error per pixel", words.error, False),
        number("images", "images", words.number, False),
        number("seeds", "seeds", words.number, False),
        number("failed", "failed", words.number, bool(content.table["failed"].any())),
        Column(("information",), "uses", "text", uses, choice=True),
        number("paper_mse", "paper", words.error, False),
    ]


def _setting(name: str) -> Column:
    if name == "photons":
        return Column(
            ("photons",),
            "photons",
            "number",
            lambda line: "no noise" if math.isinf(line["photons"]) else shortest(line["photons"]),
            choice=True,
        )
    return Column((name,), name, "text", lambda line: visible(str(line[name])), choice=True)
