"""Error over a setting of the problems that is a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from math import prod

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from bench.errors import NothingStoredError
from bench.report.figures.look import LEGEND, LINES, Look, folded, line_styles
from bench.report.figures.source import Source
from bench.report.settings import briefly, problem_of, varying
from datasets.problem import Problem, shortest


@dataclass(frozen=True)
class Axis:
    """A setting over which errors are drawn.

    Attributes:
        column: of tables.
        title: at the axis.
        number: its value.
        remedy: what makes a run have several values of it.
        infinity: what stands at the right end for an infinite value.
    """

    column: str
    title: str
    number: Callable[[Problem], float]
    remedy: str
    logarithmic: bool = False
    infinity: str = ""


AXES = {
    "photons": Axis(
        "photons", "photons in a pattern", lambda problem: problem.photons, "--photons none,1e6,1e4", True, "no noise"
    ),
    "beamstop": Axis(
        "mask", "side of the square that is not measured", lambda problem: problem.beamstop, "--beamstop 0,3,5"
    ),
    "frame": Axis(
        "frame",
        "side of the frame, or of a square of its area",
        lambda problem: prod(problem.frame) ** 0.5,
        "--frame 36,42",
    ),
    "grid": Axis(
        "grid",
        "side of the pattern, or of a square of its area",
        lambda problem: prod(problem.grid) ** 0.5,
        "--grid 96,128",
    ),
}


def error_over(source: Source, look: Look, *, axis: Axis) -> Figure:
    """Mean error over a setting, with its interval, for each solver on each problem.

    References, which use the truth, are thin lines without an interval.

    Raises:
        NothingStoredError: the run has one value of it.
    """
    solvers, references = (
        table.assign(at=[axis.number(problem_of(line)) for line in table.to_dict("records")])
        for table in (source.summary, source.references)
    )
    numbers = sorted(solvers["at"].unique())
    if len(numbers) < 2:
        raise NothingStoredError(
            f"'{source.folder}' has one value of this setting: {axis.remedy} in its command has more"
        )
    finite = [number for number in numbers if np.isfinite(number)]
    beyond = 10 * finite[-1]  # where infinity is drawn
    groups = ["solver", *(name for name in varying(source.summary) if name != axis.column)]

    def parts(table: pd.DataFrame) -> list[pd.DataFrame]:
        return [part.sort_values("at") for _, part in table.groupby(groups, sort=False)]

    def but_for_it(line: pd.Series) -> Problem:
        return problem_of({**line, axis.column: source.summary[axis.column].iloc[0]})

    words = briefly(but_for_it(part.iloc[0]) for part in parts(solvers))

    def name(part: pd.DataFrame) -> str:
        line = part.iloc[0]
        return folded(look.name(line["solver"]) + f", {words[but_for_it(line)]}" * (len(words) > 1), LEGEND)

    figure = look.figure()
    ax = figure.subplots()
    lines = parts(solvers)
    names = []
    for part, style in zip(lines, line_styles([part["solver"].iloc[0] for part in lines]), strict=True):
        x = part["at"].where(np.isfinite(part["at"]), beyond)
        ax.plot(x, part["mse"], markersize=4, **style)
        ax.fill_between(x, part["mse_low"], part["mse_high"], color=style["color"], alpha=0.15, linewidth=0)
        names.append(name(part))
    for part, dashes in zip(parts(references), cycle(LINES), strict=False):
        ax.plot(part["at"], part["mse"], color="0.3", linewidth=0.7, linestyle=dashes)
        names.append(name(part))
    if axis.logarithmic:
        ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks([min(number, beyond) for number in numbers], [_written(number, axis) for number in numbers])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(visible=True, alpha=0.3)
    ax.set_xlabel(axis.title)
    ax.set_ylabel("mean adjusted error")
    look.add_legend(figure, ax.get_lines(), names)
    return figure


def _written(number: float, axis: Axis) -> str:
    """1e4, 42, or what an infinite value is called."""
    return shortest(number) if np.isfinite(number) else axis.infinity
