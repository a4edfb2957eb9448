"""What an error costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from bench.errors import NothingStoredError
from bench.report.figures.look import BELOW, LEGEND, MARKERS, Look, folded, label_powers, line_styles
from bench.report.figures.source import Source
from bench.report.settings import briefly, problem_of
from bench.score.by_image import image_means
from bench.score.statistics import CONFIDENCE, student_mean
from bench.sweep.rows import GROUP, with_known_counts

PANEL = (4.5, 3.2)  # inches
LEAST = 1e-16  # an error of nothing has no place on a logarithmic axis


def pareto(source: Source, look: Look) -> Figure:
    """Mean error against seconds and against Fourier transforms of one image, for each problem.

    Bars are the interval of the mean error; the range of seconds between shards; and Student's interval of the mean
    number of transforms, at the same level. A grey line joins the solvers that no other one beats in both. Markers
    say which information a solver used.

    Raises:
        NothingStoredError: no solver came to an end.
    """
    points = costs(source)
    if points.empty:
        raise NothingStoredError(f"'{source.folder}' has no reconstructions: all solvers failed")
    problems = list(dict.fromkeys(problem_of(line) for line in points.to_dict("records")))
    words = briefly(problems)
    labels = list(points["solver"].unique())
    colours = {label: style["color"] for label, style in zip(labels, line_styles(labels), strict=True)}
    used = list(points["information"].unique())
    markers = {information: MARKERS[i % len(MARKERS)] for i, information in enumerate(used)}
    figure = look.figure((2 * PANEL[0], PANEL[1] * len(problems)))
    axes = figure.subplots(len(problems), 2, sharey="row", sharex="col", squeeze=False)
    for row, problem in zip(axes, problems, strict=True):
        part = points[[problem_of(line) == problem for line in points.to_dict("records")]]
        for ax, cost in zip(row, ("seconds", "transforms"), strict=True):
            _draw(ax, part, cost, colours, markers)
        row[0].set_ylabel("mean adjusted error" + f"\n{words[problem]}" * (len(problems) > 1))
    for ax in axes.flat:
        label_powers(ax)
    axes[-1, 0].set_xlabel(_seconds(source.timing))
    axes[-1, 1].set_xlabel("Fourier transforms for one image")
    first = points.drop_duplicates("solver").set_index("solver")["information"]
    handles = [Line2D([], [], linestyle="", color=colours[label], marker=markers[first[label]]) for label in labels]
    look.add_legend(
        figure, handles, [folded(look.name(label), LEGEND) for label in labels],
        title=words[problems[0]] if len(problems) == 1 else "",
    )  # fmt: skip
    kinds = [Line2D([], [], linestyle="", color="0.5", marker=markers[information]) for information in used]
    look.add_legend(figure, kinds, used, BELOW)
    return figure


def frontier(costs: ArrayLike, errors: ArrayLike) -> list[int]:
    """Which of these solvers no other one beats in cost and error at once, the cheapest first.

    Args:
        costs, errors: (S,) of each; of several with the same ones, the first is taken.
    """
    cost, error = np.asarray(costs, dtype=float), np.asarray(errors, dtype=float)
    order = np.lexsort((error, cost))
    lowest = np.minimum.accumulate(error[order])
    return [int(i) for k, i in enumerate(order) if k == 0 or error[i] < lowest[k - 1]]


def costs(source: Source) -> pd.DataFrame:
    """A line for each problem and solver: `mse`, `seconds` and `transforms`, each with `_low` and `_high`."""
    used = source.summary["information"]
    summary = source.summary[used.notna() & (used != "")]
    table = summary.merge(source.timing[[*GROUP, *_SPREAD]], on=GROUP)
    for name, column in zip(("seconds", "seconds_low", "seconds_high"), _SPREAD, strict=True):
        table[name] = table[column] / 1e3
    spread = {}
    for group, rows in source.rows.groupby(GROUP, sort=False):
        means = image_means(with_known_counts(rows), ["transforms"])["transforms"].dropna().to_numpy()
        one = (means[0], means[0]) if len(means) else (np.nan, np.nan)
        spread[group] = student_mean(means, confidence=CONFIDENCE) if len(means) > 1 else one
    groups = [tuple(line) for line in table[GROUP].itertuples(index=False)]
    table["transforms_low"], table["transforms_high"] = np.array([spread[group] for group in groups]).reshape(-1, 2).T
    return table


_SPREAD = ["solve_ms_per_image_median", "solve_ms_per_image_low", "solve_ms_per_image_high"]


def _draw(ax: Axes, points: pd.DataFrame, cost: str, colours: dict[str, str], markers: dict[str, str]) -> None:
    points = points.assign(mse=points["mse"].clip(lower=LEAST))[points[cost] > 0]  # where no image could be solved
    if points.empty:
        return
    front = points.iloc[frontier(points[cost], points["mse"])]
    ax.step(front[cost], front["mse"], where="post", color="0.8", linewidth=1, zorder=0)
    for line in points.to_dict("records"):
        colour = colours[line["solver"]]
        bars = [
            [[max(0.0, line[of] - line[f"{of}_low"])], [max(0.0, line[f"{of}_high"] - line[of])]]
            for of in (cost, "mse")
        ]
        ax.errorbar(
            line[cost], line["mse"], np.nan_to_num(bars[1]), np.nan_to_num(bars[0]), color=colour,
            marker=markers[line["information"]], markersize=6, elinewidth=1, capsize=2,
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.grid(visible=True, alpha=0.3)


def _seconds(timing: pd.DataFrame) -> str:
    threads, workers = timing["threads"].max(), timing["workers"].max()
    beside = f", {workers:.0f} shards side by side" if workers > 1 else ""
    return f"seconds for one image ({threads:.0f} thread{'s' * bool(threads > 1)}{beside})"
