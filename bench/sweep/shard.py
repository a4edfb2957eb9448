"""One shard of a sweep: one solver on one block of images, measured before it is solved, and scored after that."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.score.measures import MEASURES, Scored
from bench.score.metrics import register
from bench.sweep.pictures import no_pictures, pictures_of, unregistered
from bench.sweep.rows import FAILED
from bench.sweep.solved import Solved
from datasets import ImageSet, Measurement, PatternSet
from datasets.problem import Problem
from solvers import Reconstruction


@dataclass(frozen=True)
class Shard:
    """Images first … first + count − 1 of a problem, as one solver sees them.

    Of the images in `kept` the reconstructions are stored as pictures. They decide nothing: it is the same shard.
    """

    problem: Problem
    solver: str
    seed: int
    first: int
    count: int
    kept: tuple[int, ...] = field(default=(), compare=False)

    @property
    def indices(self) -> NDArray[np.int64]:
        return np.arange(self.first, self.first + self.count)

    def __str__(self) -> str:
        images = f"images {self.first} to {self.first + self.count - 1}"
        return f"{self.solver} on {self.problem.briefly()}, {images}, seed {self.seed}"


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of one shard. Solving is timed by itself, with the device synchronised; `cpu` is the
    processor time of all its threads.

    What the seconds were taken under belongs to them: `threads` solved blocks of this shard, while up to `workers`
    shards were solved side by side on the same machine. `memory` is the largest resident size of the process so far.
    `kernel` is what did the iterations: the portable code, or which kernel; empty where there are none.
    """

    setup: float
    solve: float
    score: float
    measure: float
    cpu: float = field(default=0.0, compare=False)
    threads: int = field(default=1, compare=False)
    workers: int = field(default=1, compare=False)
    memory: int = field(default=0, compare=False)
    kernel: str = field(default="", compare=False)


@dataclass(frozen=True)
class Outcome:
    """The rows of a shard, one per image, what they cost, and the pictures of the images that are kept."""

    shard: Shard
    rows: pd.DataFrame
    timing: Timing
    error: str = ""  # the traceback of a solver that failed, or why there was none
    code: str = ""  # the digest of the code that was at work, where a worker came to an end
    pictures: pd.DataFrame = field(default_factory=no_pictures)

    @property
    def reason(self) -> str:
        """Why there is no reconstruction, in one line; empty where there is one."""
        return str(self.rows["reason"].iat[0]) if self.error else ""


def observe(data: ImageSet | PatternSet, shard: Shard, threads: int = 1) -> tuple[NDArray | None, Measurement]:
    """The true objects (count, n1, n2), which stay in the runner, and their measurement, which goes to the solver.

    Nobody knows the objects of measured patterns: there is None in their place.
    """
    if isinstance(data, PatternSet):
        return None, data.measurement(shard.indices)
    objects = shard.problem.objects(data, shard.indices, shard.seed)
    return objects, shard.problem.measure(objects, shard.indices, shard.seed, threads)


@dataclass(frozen=True)
class Observation:
    """A shard, measured. The solver gets the measurement; the truth waits here for what comes back."""

    shard: Shard
    truth: NDArray | None
    measurement: Measurement
    identity: dict[str, Any]  # the columns that say what a row is about
    seconds: float  # spent on measuring

    @classmethod
    def of(cls, data: ImageSet | PatternSet, shard: Shard, threads: int = 1) -> Observation:
        began = time.perf_counter()
        truth, measurement = observe(data, shard, threads)
        identity = {
            **shard.problem.columns(),
            "solver": shard.solver,
            "seed": shard.seed,
            "image": shard.indices,
            "measurement": measurement.digests(threads),
        }
        return cls(shard, truth, measurement, identity, time.perf_counter() - began)

    def outcome(self, solved: Solved, threads: int = 1, beside: int = 1) -> Outcome:
        """Score what a solver has made of it.

        Args:
            threads: for the score; so many did the solver have.
            beside: how many shards are solved at a time on this machine, this one included.
        """
        began = time.perf_counter()
        scored = None
        if solved.found is None:
            rows = self._unsolved_rows(FAILED, solved.reason)
        elif self.truth is None:
            rows = _solved_rows(self.identity, UNKNOWN, solved.found, solved)
        else:
            scored = Scored(self.truth, solved.found.images, register(self.truth, solved.found.images, threads=threads))
            rows = _solved_rows(self.identity, _scores(scored), solved.found, solved)
        timing = Timing(
            setup=solved.setup,
            solve=solved.solve,
            score=time.perf_counter() - began,
            measure=self.seconds,
            cpu=solved.cpu,
            threads=threads,
            workers=beside,
            memory=solved.memory,
            kernel="" if solved.found is None else solved.found.kernel,
        )
        pictures = no_pictures()
        if scored is not None:
            pictures = pictures_of(rows, scored.truth, scored.images, scored.match, self.shard.kept)
        elif solved.found is not None:
            pictures = unregistered(rows, solved.found.images, self.shard.problem.frame, self.shard.kept)
        return Outcome(self.shard, rows, timing, solved.error, solved.code, pictures)

    def unsolved(self, status: str, reason: str, seconds: float) -> Outcome:
        """The outcome of a shard whose process was ended, or died, after so many seconds."""
        timing = Timing(setup=0.0, solve=seconds, score=0.0, measure=self.seconds)
        return Outcome(self.shard, self._unsolved_rows(status, reason), timing, reason)

    def _unsolved_rows(self, status: str, reason: str) -> pd.DataFrame:
        """An image without a reconstruction scores 1, as an empty one does: a failure must not improve a mean."""
        return pd.DataFrame(
            {
                **self.identity,
                "status": status,
                "reason": reason,
                "mse": np.nan if self.truth is None else 1.0,
                **dict.fromkeys(MEASURES, np.nan),
                "residual": np.nan,
                "iterations": 0,
                "starts": 0,
                "transforms": 0,
                **NOWHERE,
                "information": "",
                "weights": "",
            }
        )


NOWHERE = {"row": -1, "column": -1, "flipped": False}  # the truth was not found
UNKNOWN = {"mse": np.nan, **dict.fromkeys(MEASURES, np.nan), **NOWHERE}  # there is none


def _scores(scored: Scored) -> dict[str, Any]:
    """The columns that are told by the truth."""
    match = scored.match
    return {
        "mse": match.mse,
        **{name: measure(scored) for name, measure in MEASURES.items()},
        "row": match.row,
        "column": match.column,
        "flipped": match.flipped,
    }


def _solved_rows(
    identity: dict[str, Any], scores: dict[str, Any], found: Reconstruction, solved: Solved
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **identity,
            "status": [str(status) for status in found.status],
            "reason": "",
            "mse": scores["mse"],
            **{name: scores[name] for name in MEASURES},
            "residual": found.residual.copy(),  # what came in a message lies in memory that the next one uses again
            "iterations": found.iterations.copy(),
            "starts": found.starts.copy(),
            "transforms": found.transforms.copy(),
            **{name: scores[name] for name in NOWHERE},
            "information": solved.information,
            "weights": solved.weights,
        }
    )


def timing_row(outcome: Outcome) -> dict[str, Any]:
    """One line about what a shard cost. Of a shard that failed nobody knows the processor time."""
    shard = outcome.shard
    return {
        **shard.problem.columns(),
        "solver": shard.solver,
        "seed": shard.seed,
        "first": shard.first,
        "images": shard.count,
        "solved": 0 if outcome.error else shard.count,
        **asdict(outcome.timing),
        "cpu": np.nan if outcome.error else outcome.timing.cpu,
        "iterations": int(outcome.rows["iterations"].sum()),
        "transforms": int(outcome.rows["transforms"].sum()),
    }
