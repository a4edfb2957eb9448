"""What a solver does with a few images, apart from the shards of a sweep: its latency, pictures, and curves.

Each function is called by an executor, where the shards were solved. A solver's result for an image does not depend on
the batch: what is seen here is what the tables count.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.metrics import adjusted_mse, cut, register
from bench.shard import Shard, observe
from datasets import ImageSet
from solvers import Backend, IterativeSolver, Snapshot, Streams, create

SINGLES = 5  # images solved by themselves for a solver's latency
BUDGET = 2.0  # seconds for those of one solver: none is begun after them


@dataclass(frozen=True)
class Curve:
    """How the median image of one solver converged, at each of its checks."""

    iterations: NDArray[np.int64]
    seconds: NDArray[np.float64]
    mse: NDArray[np.float64]
    residual: NDArray[np.float64]


def alone(shard: Shard, images: ImageSet, backend: Backend) -> tuple[list[float], list[float]]:
    """Milliseconds of each setup, and of each image of the shard solved by itself. The first one only warms up."""
    clock = time.perf_counter
    setups: list[float] = []
    solves: list[float] = []
    began = clock()
    for i in range(1 + SINGLES):
        part = replace(shard, first=shard.first + i % shard.count, count=1)
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


def pictures(shard: Shard, images: ImageSet, backend: Backend) -> tuple[NDArray, NDArray[np.float64]]:
    """The reconstructions (B, n1, n2) of a shard, each registered to its truth, and their adjusted errors (B,)."""
    truth, measurement = observe(images, shard)
    solver = create(shard.solver)
    solver.prepare(backend, shard.variant)
    found = solver.solve(measurement, Streams(shard.seed)).images
    return registered(truth, found), adjusted_mse(truth, found)


def registered(truth: NDArray, reconstruction: NDArray) -> NDArray:
    """The window of each reconstruction (B, m1, m2) that matches the truth (B, n1, n2), turned and scaled to it."""
    match = register(truth, reconstruction)
    window = cut(reconstruction, match.row, match.column, truth.shape[1:]) * match.factor[:, None, None]
    return np.where(match.flipped[:, None, None], np.conj(window[:, ::-1, ::-1]), window).real


def converge(shard: Shard, images: ImageSet, backend: Backend) -> Curve | None:
    """Run a solver under observation; None for one that does not iterate, or has nothing to iterate on."""
    solver = create(shard.solver)
    if not isinstance(solver, IterativeSolver):
        return None
    truth, measurement = observe(images, shard)
    solver.prepare(backend, shard.variant)
    seen: list[tuple[int, float, NDArray, NDArray]] = []
    latest_mse, latest_residual = np.ones(len(truth)), np.ones(len(truth))

    def observer(snapshot: Snapshot) -> None:
        errors = adjusted_mse(truth[snapshot.images], snapshot.estimate)
        first = snapshot.starts == 0  # the curve of one start; a finished image keeps its last value
        latest_mse[snapshot.images[first]] = errors[first]
        latest_residual[snapshot.images[first]] = snapshot.residual[first]
        if first.any():
            age = int(snapshot.iterations[first].max())
            seen.append((age, snapshot.seconds, latest_mse.copy(), latest_residual.copy()))

    solver.solve(measurement, Streams(shard.seed), observer)
    if not seen:
        return None
    age, seconds, mse, residual = (np.array(column) for column in zip(*seen, strict=True))
    return Curve(age, seconds, np.median(mse, axis=1), np.median(residual, axis=1))
