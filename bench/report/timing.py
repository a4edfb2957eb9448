"""What a run cost: seconds apart for setting up, solving and scoring, and a cost that knows no hardware."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import RequestError
from bench.executors.base import Executor
from bench.executors.glimpses import alone
from bench.executors.probes import BUDGET
from bench.executors.task import CallError
from bench.report.finished import read_manifest, read_table
from bench.store.recipe import Recipe, read_recipes
from bench.sweep.rows import GROUP
from bench.sweep.shard import Outcome, timing_row
from datasets.problem import COLUMNS
from solvers import Backend

TIMING = "timing.csv"


def timing_table(outcomes: list[Outcome], backend: Backend, single: pd.DataFrame | None = None) -> pd.DataFrame:
    """One line for each problem and solver; the spread is that between its shards.

    `workers` is how many shards were solved side by side, at most: above 1 they have slowed each other down, and
    their times are not to be compared with others. Of shards that were solved on different numbers of threads, because
    a run was continued with another, those on the most tell the time on the wall. A shard that failed counts with the
    seconds it took; what nobody saw of it, processor time and transforms, is left out.

    Args:
        single: what `single_images` found; it adds how long a solver takes to set up, and for one image by itself.
    """
    shards = pd.DataFrame([timing_row(outcome) for outcome in outcomes])
    lines = []
    for (*setting, solver), group in shards.groupby(GROUP, sort=False):
        images, solved = group["images"].sum(), group["solved"].sum()
        timed = group[(group["threads"] == group["threads"].max()) | (group["solved"] == 0)]
        seconds, iterations = timed["solve"].sum(), timed["iterations"].sum()
        lines.append(
            {
                **dict(zip(COLUMNS, setting, strict=True)),
                "solver": solver,
                "images": images,
                "setup_seconds": group["setup"].sum(),
                "solve_seconds": group["solve"].sum(),
                **_spread("solve_ms_per_image", 1e3 * timed["solve"] / timed["images"]),
                **_spread("solve_cpu_ms_per_image", 1e3 * group["cpu"] / group["images"]),
                "measure_seconds": group["measure"].sum(),
                "score_seconds": group["score"].sum(),
                **_spread("score_ms_per_image", 1e3 * timed["score"] / timed["images"]),
                "images_per_second": timed["images"].sum() / seconds if seconds else np.nan,
                "microseconds_per_iteration": 1e6 * seconds / iterations if iterations else np.nan,
                "transforms_per_image": group["transforms"].sum() / solved if solved else np.nan,
                "peak_memory_mib": group["memory"].max() / 2**20,
                "kernel": " ".join(sorted(set(group["kernel"]) - {""})),
                "device": backend.device,
                "backend": backend.name,
                "precision": backend.precision,
                "threads": group["threads"].max(),
                "workers": group["workers"].max(),
            }
        )
    table = pd.DataFrame(lines)
    return table if single is None else table.merge(single, on=[*GROUP, "threads"], how="left")


def single_images(outcomes: list[Outcome], executor: Executor, known: pd.DataFrame | None = None) -> pd.DataFrame:
    """How long each solver of a sweep takes to set up, and to solve one image by itself: a line for each solver.

    It is measured after the sweep, on the solver's first shard, and said of the problem of that shard: the shards of a
    sweep fill all processors, and a solver is set up once for many of them. A solver of which a shard failed, or that
    would take too long, has no latency.

    Args:
        known: lines of an earlier run, which are taken over where they are of as many threads.
    """
    shards = pd.DataFrame([timing_row(outcome) for outcome in outcomes])
    failed = {outcome.shard.solver for outcome in outcomes if outcome.error}
    about = [*GROUP, "threads"]
    before = {} if known is None else {tuple(line[name] for name in about): line for line in known.to_dict("records")}
    lines = []
    for solver, group in shards.groupby("solver", sort=False):
        shard = next(outcome.shard for outcome in outcomes if outcome.shard.solver == solver)
        of = {**shard.problem.columns(), "solver": solver, "threads": group["threads"].max()}
        if found := before.get(tuple(of.values())):
            lines.append(found)
            continue
        one = float((group["solve"] * group["threads"] / group["images"]).median())
        setup: list[float] = []
        solve: list[float] = []
        if solver not in failed and one < BUDGET:
            with contextlib.suppress(CallError):  # a solver that fails only now has no latency, and keeps its rows
                setup, solve = executor.call(alone, shard)
        lines.append({**of, **_spread("setup_ms", setup), **_spread("latency_ms", solve)})
    return pd.DataFrame(lines)


def read_alone(folder: Path, solvers: Mapping[str, Recipe] | None = None) -> pd.DataFrame | None:
    """What an earlier run in the same folder found for single images.

    None where there is no such file, or one that the manifest does not vouch for: it is then measured again.

    Args:
        solvers: what they are made of now, by label; lines of others, or of what has changed since, are left out.
    """
    columns = [*GROUP, "threads", *_spread("setup_ms", []), *_spread("latency_ms", [])]
    try:
        table, made_of = read_table(folder, TIMING)[columns], read_recipes(read_manifest(folder))
    except (RequestError, KeyError):  # none yet, of another version, or without a manifest
        return None
    if solvers is not None:
        same = {label for label, recipe in solvers.items() if label in made_of and made_of[label].agrees(recipe)}
        table = table[table["solver"].isin(same)]
    return table.dropna(subset=["latency_ms_median"]).astype({"photons": float})  # 500 is a whole number in a file


def _spread(name: str, values: Any) -> dict[str, float]:
    """Median, smallest and largest of those times that are known; NaN where none is."""
    times = np.asarray(values, dtype=float)
    times = times[~np.isnan(times)]
    middle, low, high = (np.median(times), times.min(), times.max()) if len(times) else (np.nan,) * 3
    return {f"{name}_median": middle, f"{name}_low": low, f"{name}_high": high}
