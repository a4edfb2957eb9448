"""What a run cost: seconds apart for setting up, solving and scoring, and a cost that knows no hardware."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.shard import Outcome, Shard, observe, timing_row
from datasets import ImageSet
from solvers import Backend, Streams, create

SINGLES = 5  # images solved by themselves for a solver's latency
BUDGET = 2.0  # seconds for those of one solver: none is begun after them, or where one alone would take as long


def timing_table(outcomes: list[Outcome], backend: Backend, alone: pd.DataFrame | None = None) -> pd.DataFrame:
    """One line for each variant and solver; the spread is that between its shards.

    `workers` is how many shards were solved side by side, at most: above 1 they have slowed each other down, and
    their times are not to be compared with others. A shard that failed counts with the seconds it took.

    Args:
        alone: what `single_images` found; it adds how long a solver takes to set up, and for one image by itself.
    """
    shards = pd.DataFrame([timing_row(outcome) for outcome in outcomes])
    lines = []
    for (variant, solver), group in shards.groupby(["variant", "solver"], sort=False):
        images, seconds = group["images"].sum(), group["solve"].sum()
        iterations = group["iterations"].sum()
        lines.append(
            {
                "variant": variant,
                "solver": solver,
                "images": images,
                "setup_seconds": group["setup"].sum(),
                "solve_seconds": seconds,
                **_spread("solve_ms_per_image", 1e3 * group["solve"] / group["images"]),
                "measure_seconds": group["measure"].sum(),
                "score_seconds": group["score"].sum(),
                **_spread("score_ms_per_image", 1e3 * group["score"] / group["images"]),
                "images_per_second": images / seconds if seconds else np.nan,
                "microseconds_per_iteration": 1e6 * seconds / iterations if iterations else np.nan,
                "transforms_per_image": group["transforms"].sum() / images,
                "peak_memory_mib": group["memory"].max() / 2**20,
                "device": backend.device,
                "backend": backend.name,
                "precision": backend.precision,
                "threads": group["threads"].max(),
                "workers": group["workers"].max(),
            }
        )
    table = pd.DataFrame(lines)
    return table if alone is None else table.merge(alone, on="solver", how="left")


def single_images(
    outcomes: list[Outcome], images: ImageSet, backend: Backend, known: pd.DataFrame | None = None
) -> pd.DataFrame:
    """How long each solver of a sweep takes to set up, and to solve one image by itself: a line for each solver.

    It is measured here, after the sweep, on the first variant that the solver went through without an error: the
    shards of a sweep fill all processors, and a solver is set up once for many of them. The first image only warms
    up. A solver that would take too long has no latency.

    Args:
        known: lines of an earlier run, which are taken over.
    """
    shards = pd.DataFrame([timing_row(outcome) for outcome in outcomes])
    failed = {outcome.shard.solver for outcome in outcomes if outcome.error}
    before = {} if known is None else {line["solver"]: line for line in known.to_dict("records")}
    lines = []
    for solver, group in shards.groupby("solver", sort=False):
        if solver in before:
            lines.append(before[solver])
            continue
        shard = next(outcome.shard for outcome in outcomes if outcome.shard.solver == solver)
        one = float((group["solve"] * group["threads"] / group["images"]).median())
        setup: list[float] = []
        solve: list[float] = []
        if solver not in failed and one < BUDGET:
            with contextlib.suppress(Exception):  # a solver that fails only now has no latency, and keeps its rows
                setup, solve = _alone(shard, images, backend)
        lines.append({"solver": solver, **_spread("setup_ms", setup), **_spread("latency_ms", solve)})
    return pd.DataFrame(lines)


def read_alone(path: Path, without: set[str]) -> pd.DataFrame | None:
    """What an earlier run in the same folder found for single images, but for solvers that have run again since."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError):
        return None
    columns = ["solver", *(name for name in table.columns if name.startswith(("setup_ms", "latency_ms")))]
    if len(columns) == 1:
        return None
    return table.loc[~table["solver"].isin(without), columns].drop_duplicates("solver")


def _alone(shard: Shard, images: ImageSet, backend: Backend) -> tuple[list[float], list[float]]:
    """Milliseconds of each setup, and of each image solved by itself."""
    clock = time.perf_counter
    setups: list[float] = []
    solves: list[float] = []
    began = clock()
    for i in range(1 + SINGLES):
        place = shard.first + i % shard.count
        part = Shard(shard.solver, shard.variant, shard.seed, place, 1, shard.split, shard.photons)
        _, measurement = observe(images, part)
        start = clock()
        solver = create(shard.solver)
        solver.prepare(backend, shard.variant)
        backend.synchronize()
        ready = clock()
        solver.solve(measurement, Streams(shard.seed))
        backend.synchronize()
        done = clock()
        if i:
            setups.append(1e3 * (ready - start))
            solves.append(1e3 * (done - ready))
        if done - began > BUDGET and solves:
            break
    return setups, solves


def _spread(name: str, values: Any) -> dict[str, float]:
    """Median, smallest and largest of some times; NaN where there are none."""
    times = np.asarray(values, dtype=float)
    middle, low, high = (np.median(times), times.min(), times.max()) if len(times) else (np.nan,) * 3
    return {f"{name}_median": middle, f"{name}_low": low, f"{name}_high": high}
