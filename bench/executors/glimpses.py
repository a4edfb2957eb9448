"""What is seen of a solver apart from the shards of a sweep: its latency, and how it converges.

Each function is called by an executor, beside the place where solvers are: there a solver gets measurements, and here
is done what needs the truth. An image's result does not depend on its batch: what is seen is what the tables count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.executors.base import Place
from bench.executors.probes import SINGLES
from bench.executors.task import Task, told
from bench.score.metrics import adjusted_mse
from bench.sweep.shard import Shard, observe
from datasets import ImageSet, PatternSet


@dataclass(frozen=True)
class Curve:
    """How the median image of one solver converged, at each of its checks; `mse` is NaN where no truth is known."""

    iterations: NDArray[np.int64]
    seconds: NDArray[np.float64]
    mse: NDArray[np.float64]
    residual: NDArray[np.float64]


def alone(shard: Shard, images: ImageSet | PatternSet, place: Place) -> tuple[list[float], list[float]]:
    """Milliseconds of each setup, and of each image of the shard solved by itself."""
    parts = [replace(shard, first=shard.first + i % shard.count, count=1) for i in range(1 + SINGLES)]
    measurements = tuple(observe(images, part)[1] for part in parts)
    found = place.ask(Task("alone", shard.solver, measurements, told(shard)))
    return found["setups"], found["solves"]


def converge(shard: Shard, images: ImageSet | PatternSet, place: Place) -> Curve | None:
    """Watch a solver's first start; None for one that does not iterate, or has nothing to iterate on."""
    truth, measurement = observe(images, shard)
    seen: list[tuple[int, float, NDArray, NDArray]] = []
    latest_mse, latest_residual = np.ones(len(measurement)), np.ones(len(measurement))

    def tell(snapshot: dict[str, Any]) -> None:
        of = snapshot["images"]  # a finished image keeps its last value
        latest_mse[of] = np.nan if truth is None else adjusted_mse(truth[of], snapshot["estimate"])
        latest_residual[of] = snapshot["residual"]
        seen.append((int(snapshot["iterations"].max()), snapshot["seconds"], latest_mse.copy(), latest_residual.copy()))

    place.ask(Task("converge", shard.solver, (measurement,), told(shard)), tell)
    if not seen:
        return None
    age, seconds, mse, residual = (np.array(column) for column in zip(*seen, strict=True))
    return Curve(age, seconds, np.median(mse, axis=1), np.median(residual, axis=1))
