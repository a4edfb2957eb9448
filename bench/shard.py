"""One shard of a sweep: one solver on one block of images, measured, solved, scored and timed."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import one_line
from bench.memory import peak_memory
from bench.metrics import register
from bench.rows import FAILED
from datasets import ImageSet, Measurement, measure, place, placements
from solvers import Backend, Reconstruction, Solver, Streams, create

_BLOCK = 256  # images measured at once where only their digests are wanted


@dataclass(frozen=True)
class Shard:
    """Images first … first + count − 1 of a data set, as one solver sees them."""

    solver: str
    variant: str
    seed: int
    first: int
    count: int
    split: str
    photons: float | None

    @property
    def indices(self) -> NDArray[np.int64]:
        return np.arange(self.first, self.first + self.count)

    def __str__(self) -> str:
        return (
            f"{self.solver} on {self.variant}, images {self.first} to {self.first + self.count - 1}, seed {self.seed}"
        )


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of one shard. Solving is timed by itself, with the device synchronised.

    What the seconds were taken under belongs to them: `threads` solved blocks of this shard, while up to `workers`
    shards were solved side by side on the same machine. `memory` is the largest resident size of the process so far.
    """

    setup: float
    solve: float
    score: float
    measure: float
    threads: int = field(default=1, compare=False)
    workers: int = field(default=1, compare=False)
    memory: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Outcome:
    """The rows of a shard, one per image, and what they cost."""

    shard: Shard
    rows: pd.DataFrame
    timing: Timing
    error: str = ""  # the traceback of a solver that failed, or why there was none
    code: str = ""  # the digest of the code that was at work, where a worker came to an end

    @property
    def reason(self) -> str:
        """Why there is no reconstruction, in one line; empty where there is one."""
        return str(self.rows["reason"].iat[0]) if self.error else ""


def observe(images: ImageSet, shard: Shard, threads: int = 1) -> tuple[NDArray, Measurement]:
    """The true objects (count, 42, 42), which stay in the runner, and their measurement, which goes to the solver."""
    where = placements(shard.variant, seed=shard.seed, split=shard.split, indices=shard.indices)
    objects = place(images.tiles(shard.indices), where)
    measurement = measure(
        objects, indices=shard.indices, photons=shard.photons, seed=shard.seed, split=shard.split, threads=threads
    )
    return objects, measurement


def unsolved(images: ImageSet, shard: Shard, status: str, reason: str, seconds: float) -> Outcome:
    """The outcome of a shard whose process was ended, or died, after so many seconds: its images are only measured."""
    rows = [_unsolved_rows(_identity(part, observe(images, part)[1]), status, reason) for part in _split(shard, _BLOCK)]
    return Outcome(shard, pd.concat(rows, ignore_index=True), Timing(0.0, seconds, 0.0, 0.0), reason)


class Worker:
    """Runs shards one after the other; a solver is prepared once for the shards of a variant that follow each other.

    Args:
        beside: how many shards are solved at a time on this machine, this one included; written to the timings.
    """

    def __init__(self, images: ImageSet, backend: Backend, beside: int = 1) -> None:
        import torch  # noqa: F401 - solving and scoring need it, and its import takes a second that is none of theirs

        self.images, self.backend, self.beside = images, backend, beside
        self._prepared: tuple[tuple[str, str], Solver] | None = None

    def run(self, shard: Shard) -> Outcome:
        """Measure, prepare, solve and score. An error of the solver becomes rows that say so."""
        clock = time.perf_counter
        began = clock()
        truth, measurement = observe(self.images, shard, self.backend.threads)
        identity = _identity(shard, measurement, self.backend.threads)
        measured = prepared = clock()
        found, error, reason = None, "", ""
        try:
            solver = self._prepare(shard)
            prepared = clock()
            found = solver.solve(measurement, Streams(shard.seed))
            self.backend.synchronize()
            _check(found, measurement)
        except (Exception, SystemExit) as failure:  # a solver may raise anything; the sweep must go on without it
            error = traceback.format_exc()
            reason = one_line(failure)
        solved = clock()
        if error or found is None:
            rows = _unsolved_rows(identity, FAILED, reason)
        else:
            rows = _scored_rows(identity, truth, found, solver, self.backend.threads)
        timing = Timing(
            setup=prepared - measured,
            solve=solved - prepared,
            score=clock() - solved,
            measure=measured - began,
            threads=self.backend.threads,
            workers=self.beside,
            memory=peak_memory(),
        )
        return Outcome(shard, rows, timing, error)

    def _prepare(self, shard: Shard) -> Solver:
        key = (shard.solver, shard.variant)
        if self._prepared is None or self._prepared[0] != key:
            self._prepared = None  # before the next one needs its memory
            solver = create(shard.solver)
            solver.prepare(self.backend, shard.variant)
            self.backend.synchronize()
            self._prepared = (key, solver)
        return self._prepared[1]


def _check(found: Reconstruction, measurement: Measurement) -> None:
    """Refuse a reconstruction that is not what the interface promises, before it is scored as if it were."""
    expected = (len(measurement), *measurement.grid)
    if np.shape(found.images) != expected:
        raise ValueError(f"the solver returned images of shape {np.shape(found.images)} instead of {expected}")
    for name in ("residual", "iterations", "starts", "transforms", "status"):
        if len(getattr(found, name)) != len(measurement):
            raise ValueError(f"the solver returned {len(getattr(found, name))} values of '{name}'")


def _split(shard: Shard, size: int) -> Iterator[Shard]:
    for first in range(shard.first, shard.first + shard.count, size):
        yield replace(shard, first=first, count=min(size, shard.first + shard.count - first))


def _identity(shard: Shard, measurement: Measurement, threads: int = 1) -> dict[str, Any]:
    return {
        "variant": shard.variant,
        "solver": shard.solver,
        "seed": shard.seed,
        "image": shard.indices,
        "measurement": measurement.digests(threads),
    }


def _scored_rows(
    identity: dict[str, Any], truth: NDArray, found: Reconstruction, solver: Solver, threads: int
) -> pd.DataFrame:
    match = register(truth, found.images, threads=threads)
    energy = np.sum(np.abs(truth.astype(np.result_type(truth.dtype, np.float64))) ** 2, axis=(1, 2))
    return pd.DataFrame(
        {
            **identity,
            "status": [str(status) for status in found.status],
            "reason": "",
            "mse": match.mse,
            "pixel_mse": match.mse * energy / truth[0].size,
            "residual": found.residual,
            "iterations": found.iterations,
            "starts": found.starts,
            "transforms": found.transforms,
            "row": match.row,
            "column": match.column,
            "flipped": match.flipped,
            "weights": solver.weights_digest(),
        }
    )


def _unsolved_rows(identity: dict[str, Any], status: str, reason: str) -> pd.DataFrame:
    """An image without a reconstruction scores 1, as an empty one does: a failure must not improve a mean."""
    return pd.DataFrame(
        {
            **identity,
            "status": status,
            "reason": reason,
            "mse": 1.0,
            "pixel_mse": np.nan,
            "residual": np.nan,
            "iterations": 0,
            "starts": 0,
            "transforms": 0,
            "row": -1,
            "column": -1,
            "flipped": False,
            "weights": "",
        }
    )


def timing_row(outcome: Outcome) -> dict[str, Any]:
    """One line about what a shard cost."""
    shard = outcome.shard
    return {
        "variant": shard.variant,
        "solver": shard.solver,
        "seed": shard.seed,
        "first": shard.first,
        "images": shard.count,
        **asdict(outcome.timing),
        "iterations": int(outcome.rows["iterations"].sum()),
        "transforms": int(outcome.rows["transforms"].sum()),
    }
