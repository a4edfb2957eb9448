"""Convergence curves of a run: how each solver's median error and residual fell, taken after the sweep, then stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from bench.errors import RequestError
from bench.executors.base import Executor
from bench.executors.glimpses import Curve, converge
from bench.report.finished import read_table, with_canonical_labels
from bench.store.keys import Keys
from bench.sweep.shard import Shard
from datasets.problem import COLUMNS

CURVES = "curves.parquet"
IMAGES = 16  # under a curve, at most

_ABOUT = [*COLUMNS, "solver", "seed", "images", "key"]
_POINT = ["iterations", "seconds", "mse", "residual"]


def read_curves(folder: Path) -> pd.DataFrame:
    """The curves of a finished run: a line for each check of each solver, in their order.

    Columns: those of the problem, `solver`, `seed`, `images` (how many the medians are over), `key` (that of the shard
    of these images), `iterations`, `seconds` (for all these images, on one thread), `mse`, `residual`.

    Raises:
        RequestError: there is no finished run, it has no curves, or a file is damaged.
    """
    table = read_table(folder, CURVES, "no convergence curves: the same `bench run` without --no-figures adds them")
    missing = [column for column in (*_ABOUT, *_POINT) if column not in table]
    if missing:
        raise RequestError(f"'{folder / CURVES}' is damaged: it has no column '{missing[0]}'")
    points = [name for name in _POINT if name != "seconds"]  # runs that were merged may both have timed a curve
    return with_canonical_labels(table, [*_ABOUT, *points])


def known_curves(folder: Path, keys: Keys, watched: Sequence[Shard]) -> pd.DataFrame:
    """The curves of an earlier run in the same folder that are those of these shards still: same code, same data."""
    try:
        table = read_curves(folder)
    except RequestError:  # none yet, of another version, or without a manifest
        return no_curves()
    return table[table["key"].isin([keys.key(shard) for shard in watched])]


def watch(shard: Shard, key: str, executor: Executor) -> pd.DataFrame:
    """The curve of one solver on the images of a shard; without a line for one that does not iterate.

    Raises:
        CallError: the solver failed.
    """
    curve: Curve | None = executor.call(converge, shard)
    if curve is None:
        return no_curves()
    about = {
        **shard.problem.columns(), "solver": shard.solver, "seed": shard.seed, "images": shard.count, "key": key
    }  # fmt: skip
    return pd.DataFrame({**about, **asdict(curve)})


def no_curves() -> pd.DataFrame:
    """A table of curves without any."""
    return pd.DataFrame(columns=[*_ABOUT, *_POINT])
