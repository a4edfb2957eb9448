"""What a run cost: seconds apart for setting up, solving and scoring, and a cost that knows no hardware."""

from __future__ import annotations

import resource
import sys

import numpy as np
import pandas as pd

from bench.shard import Outcome, timing_row
from solvers import Backend


def timing_table(outcomes: list[Outcome], backend: Backend) -> pd.DataFrame:
    """One line for each variant and solver; the spread is that between its shards."""
    shards = pd.DataFrame([timing_row(outcome) for outcome in outcomes])
    lines = []
    for (variant, solver), group in shards.groupby(["variant", "solver"], sort=False):
        images, seconds = group["images"].sum(), group["solve"].sum()
        per_image = group["solve"] / group["images"]
        iterations = group["iterations"].sum()
        lines.append(
            {
                "variant": variant,
                "solver": solver,
                "images": images,
                "setup_seconds": group["setup"].sum(),
                "solve_seconds": seconds,
                "solve_ms_per_image_median": 1e3 * per_image.median(),
                "solve_ms_per_image_low": 1e3 * per_image.min(),
                "solve_ms_per_image_high": 1e3 * per_image.max(),
                "measure_seconds": group["measure"].sum(),
                "score_seconds": group["score"].sum(),
                "images_per_second": images / seconds,
                "microseconds_per_iteration": 1e6 * seconds / iterations if iterations else np.nan,
                "transforms_per_image": group["transforms"].sum() / images,
                "peak_memory_mib": peak_memory() / 2**20,
                "device": backend.device,
                "backend": backend.name,
                "precision": backend.precision,
                "threads": backend.threads,
            }
        )
    return pd.DataFrame(lines)


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
