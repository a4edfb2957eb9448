"""Which solver has the smallest error among those that take no longer than a budget for an image."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import NothingStoredError, RequestError
from bench.report.settings import varying
from bench.sweep.rows import GROUP
from datasets.problem import COLUMNS

ANY = "any"  # information: solvers are compared whatever they use
UNITS = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4}  # in milliseconds
SHOWN = ("within_ms", "information", "solver", "mse", "ms_per_image")  # to people, besides the settings that vary


def read_times(words: Sequence[str]) -> list[float]:
    """Milliseconds, shortest first, of times such as 10ms, 1.5s, 2min.

    Raises:
        RequestError: there is none, one is no time, or one is given twice.
    """
    times = []
    for word in words:
        match = re.fullmatch(rf"([\d.]+(?:e[+-]?\d+)?) ?({'|'.join(UNITS)})", word)
        try:
            time = float(match[1]) * UNITS[match[2]] if match else math.nan
        except ValueError:  # 1.2.3
            time = math.nan
        if not (math.isfinite(time) and time > 0):
            raise RequestError(
                f"--within: '{word}' is no time: write a number above 0 and one of {', '.join(UNITS)}, as 10ms"
            )
        if time in times:
            raise RequestError(f"--within: '{word}' is given twice")
        times.append(time)
    if not times:
        raise RequestError("--within: name at least one time, as 10ms,100ms,1s")
    return sorted(times)


def budgets(summary: pd.DataFrame, timing: pd.DataFrame, rows: pd.DataFrame, times: Sequence[float]) -> pd.DataFrame:
    """A line for each problem, information and time: the solver with the smallest mean error within that time.

    What a solver takes for an image is the median over its shards: on a CPU of the processor time of all its threads,
    which is what a single thread would take; on a GPU of the time on the wall. An image that a solver failed on counts
    with its error of 1, and references have no time. Solvers that were given different measurements of a problem are
    not compared: there are then lines for each of these sets.

    Args:
        summary, timing, rows: the tables of a finished run.
        times: milliseconds for an image, inclusive.

    Returns:
        The columns of the problem; `within_ms`; `information`, which is ANY in the lines of all solvers, before those
        of each kind if there are several; `solver`, missing where none is within the time; its `mse` with `mse_low` and
        `mse_high`, and its `ms_per_image`; `images`.

    Raises:
        RequestError: the run has no such times, because it is of an older version; or no solver is that fast.
        NothingStoredError: nobody knows the objects, or no solver came to an end.
    """
    needed = ["device", *_CLOCKS.values()]
    if gone := next((name for name in needed if name not in timing.columns), None):
        raise RequestError(f"timing.csv has no column '{gone}': it is of an older version; run this again")
    if summary["mse"].isna().all():
        raise NothingStoredError("nobody knows the objects of this run: its solvers have no errors to compare")
    table = summary.merge(timing[[*GROUP, *needed]], on=GROUP)
    table["ms_per_image"] = np.select([table["device"] == device for device in _CLOCKS],
                                      [table[clock] for clock in _CLOCKS.values()], np.nan)  # fmt: skip
    given = {group: frozenset(part["measurement"]) for group, part in rows.groupby(GROUP, sort=False)}
    table["given"] = [given[tuple(line)] for line in table[GROUP].itertuples(index=False)]
    used = table["information"].fillna("") != ""  # empty where a solver never came to an end
    table = table[used & table["mse"].notna() & table["ms_per_image"].notna()]
    if table.empty:
        raise NothingStoredError("no solver of this run came to an end: there is nothing to compare")
    fastest = table.loc[table["ms_per_image"].idxmin()]
    if fastest["ms_per_image"] > max(times):
        raise RequestError(
            f"--within: no solver of this run is that fast: '{fastest['solver']}' takes the least time for an image, "
            f"{fastest['ms_per_image']:.3g} ms"
        )
    lines = [line for _, part in table.groupby([*COLUMNS, "given"], sort=False) for line in _lines(part, times)]
    return pd.DataFrame(lines)


_CLOCKS = {"cpu": "solve_cpu_ms_per_image_median", "cuda": "solve_ms_per_image_median"}  # by device


def shown(table: pd.DataFrame) -> list[str]:
    """The columns of `budgets` that people look at."""
    return [*varying(table), *SHOWN]


def _lines(solvers: pd.DataFrame, times: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Of the solvers of one problem, which were given the same measurements."""
    kinds = list(solvers["information"].unique())
    problem = solvers.iloc[0][[*COLUMNS, "images"]].to_dict()
    images = problem.pop("images")
    ranked = solvers.sort_values(["mse", "ms_per_image"], kind="stable")
    for kind in (ANY, *kinds) if len(kinds) > 1 else kinds:
        alike = ranked if kind == ANY else ranked[ranked["information"] == kind]
        for time in times:
            best = alike[alike["ms_per_image"] <= time].head(1)
            names = ("solver", "mse", "mse_low", "mse_high", "ms_per_image")
            found = best.iloc[0][list(names)].to_dict() if len(best) else dict.fromkeys(names, np.nan)
            yield {**problem, "within_ms": time, "information": kind, **found, "images": images}
