"""How often a solver is good, over all images instead of in the mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bench.report.figures.look import LEGEND, Look, folded, label_powers, line_styles
from bench.report.figures.pareto import PANEL
from bench.report.figures.source import Source
from bench.report.settings import briefly, problem_of
from bench.score.by_image import image_means
from bench.score.metrics import STRICT_SUCCESS, SUCCESS
from bench.sweep.rows import UNSOLVED, with_known_counts
from datasets.problem import COLUMNS


def profile(source: Source, look: Look) -> Figure:
    """For each problem the performance profile, and the share of images that are recovered within a time.

    Every curve is drawn to the right end of its axes: what is not reached there is not reached at all.
    """
    parts = list(source.rows.groupby(list(COLUMNS), sort=False))
    problems = [problem_of(part.iloc[0]) for _, part in parts]
    words = briefly(problems)
    labels = list(source.rows["solver"].unique())
    styles = dict(zip(labels, line_styles(labels), strict=True))
    figure = look.figure((2 * PANEL[0], PANEL[1] * len(parts)))
    axes = figure.subplots(len(parts), 2, sharex="col", squeeze=False)
    ratios = {problem: error_ratios(part) for problem, (_, part) in zip(problems, parts, strict=True)}
    seconds = {problem: times(part, source.timing) for problem, (_, part) in zip(problems, parts, strict=True)}
    largest = max((table.replace(np.inf, 1.0).max(axis=None) for table in ratios.values() if len(table)), default=1.0)
    for row, problem in zip(axes, problems, strict=True):
        for label, values in ratios[problem].items():
            if len(values):
                _steps(row[0], values.to_numpy(), len(values), 1.0, 1.1 * largest, styles[str(label)])
        if ratios[problem].empty:
            row[0].text(0.5, 0.5, "no measurement that all solvers have", ha="center", transform=row[0].transAxes)
        budget = [value for of in seconds.values() for _, all_, _ in of.values() for value in all_ if value > 0]
        low, high = (min(budget) / 1.5, 1.5 * max(budget)) if budget else (1.0, 10.0)
        for label, (recovered, _, count) in seconds[problem].items():
            _steps(row[1], recovered, count, low, high, styles[label])
        row[0].set_ylabel("share of images" + f"\n{words[problem]}" * (len(problems) > 1))
        row[1].set_ylabel(f"share with an error below {SUCCESS:g}")
    axes[-1, 0].set_xlabel(f"error over the smallest of any solver ({STRICT_SUCCESS:g} if below)")
    axes[-1, 1].set_xlabel("seconds for one image")
    handles = [Line2D([], [], **{**styles[label], "markersize": 4}) for label in labels]
    look.add_legend(
        figure, handles, [folded(look.name(label), LEGEND) for label in labels],
        title=words[problems[0]] if len(problems) == 1 else "",
    )  # fmt: skip
    return figure


def error_ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """r(image, solver) = error over the smallest error of any solver on that image (Dolan and Moré, Math. Program. 91,
    201, 2002), whose distribution over images is the performance profile.

    Of the measurements that all solvers were given; the errors of an image's measurements are averaged first. Errors
    below 1e-4 count as 1e-4: which of two exact solutions has the more digits is a matter of when it stopped. A failure
    is infinite.
    """
    solvers = rows.groupby(["image", "measurement"])["solver"].transform("nunique")
    labels = list(rows["solver"].unique())
    rows = rows[solvers == len(labels)]
    failed = rows.assign(mse=rows["mse"].where(~rows["status"].isin(UNSOLVED), np.inf))
    errors = image_means(failed.assign(mse=failed["mse"].replace(np.inf, np.nan)), ["mse"], ["image", "solver"])["mse"]
    lost = failed[np.isinf(failed["mse"])].set_index(["image", "solver"]).index
    errors[errors.index.isin(lost)] = np.inf
    table = errors.unstack("solver").reindex(columns=labels).dropna().clip(lower=STRICT_SUCCESS)
    return table.div(table.min(axis=1).replace(np.inf, 1.0), axis=0)


def times(rows: pd.DataFrame, timing: pd.DataFrame) -> dict[str, tuple[NDArray, list[float], int]]:
    """For each solver the seconds of the images that it recovered, of all images, and how many rows there are.

    Only shards are timed. An image has its part of the mean according to its Fourier transforms, where they differ.
    """
    mean = timing.set_index([*COLUMNS, "solver"])["solve_ms_per_image_median"] / 1e3
    found = {}
    for label, group in rows.groupby("solver", sort=False):
        key = (*group[list(COLUMNS)].iloc[0], label)
        if key not in mean.index:
            continue
        per_image = mean[key]
        transforms = with_known_counts(group)["transforms"].to_numpy(dtype=float)
        share = np.ones(len(group))
        if np.nansum(transforms):
            share = np.nan_to_num(transforms / np.nanmean(transforms), nan=1.0)
        seconds = per_image * share
        found[str(label)] = (seconds[group["mse"] < SUCCESS], [float(seconds.min()), float(seconds.max())], len(group))
    return found


def _steps(ax: Axes, values: NDArray, count: int, low: float, high: float, style: dict) -> None:
    """The share of `count` that is at most x, from `low` to `high`."""
    reached = len(finite := values[np.isfinite(values)]) / count
    x, counts = np.unique(finite, return_counts=True)
    share = np.cumsum(counts) / count
    before = float(share[np.searchsorted(x, low, side="right") - 1]) if len(x) and x[0] <= low else 0.0
    inside = x > low
    x, share = np.r_[low, x[inside], high], np.r_[before, share[inside], reached]
    every = max(1, len(x) // 6)
    ax.step(x, share, where="post", **{**style, "markersize": 4, "markevery": (every // 2, every)})
    ax.set_xlim(low, high)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xscale("log")
    label_powers(ax)
    ax.grid(visible=True, alpha=0.3)
