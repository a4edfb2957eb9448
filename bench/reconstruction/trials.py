"""The benchmark of Elser, Lan and Bendory: RRR iterations to a solution, counted over random starts.

An iteration has found a solution when more than 95% of the power of P_M(2 P_S x − x) lies where P_S x differs from
zero: RRR.c of github.com/veitelser/phase-retrieval-benchmarks, whose counts are comparable with these.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import RequestError
from datasets import Measurement
from datasets.half_plane_file import pixels_of, read_half_plane
from solvers import Backend, Streams
from solvers.backend import Array
from solvers.iterative.block import Block, box_block
from solvers.projection.rrr import RelaxedReflectReflect

GOAL = 0.95  # of the power: theirs


@dataclass(frozen=True)
class Trials:
    """What came of some trials.

    Attributes:
        iterations: (trials,) until a solution was found; −1 where it was not.
        iterations_per_second: of processor time, as in their program; one thread, without the tests for a solution.
    """

    iterations: NDArray[np.int64]
    iterations_per_second: float

    @property
    def solved(self) -> int:
        return int((self.iterations >= 0).sum())

    @property
    def mean(self) -> float:
        """Iterations of the trials that were solved; NaN without one. Their program adds those of the others."""
        return float(self.iterations[self.iterations >= 0].mean()) if self.solved else float("nan")


def trials(
    path: Path,
    count: int = 20,
    *,
    pixels: int | None = None,
    beta: float = 0.5,
    limit: int = 10_000,
    seed: int = 0,
    precision: str = "float32",
) -> Trials:
    """Solve one file of the benchmark from random starts.

    Args:
        pixels: of the support; 8 for each of the atoms in the name of the file, data100E, if absent.
        beta: of RRR.
        limit: iterations after which a trial is given up.

    Raises:
        RequestError, DatasetError: the file is none of the benchmark, or its name does not say how many pixels.
    """
    intensities = read_half_plane(path)
    pixels = pixels or pixels_of(path)
    if pixels is None:
        raise RequestError(f"{path.name} is no name as data100E: say how many pixels its support has")
    backend = Backend(precision=precision, threads=1)  # type: ignore[arg-type]  # the backend says what it knows
    block = _block(intensities, count, pixels, backend)
    solver = RelaxedReflectReflect.model_validate({"beta": beta, "nonneg": True})
    x = _guesses(block, seed)
    found = np.full(count, -1, dtype=np.int64)
    alive = np.arange(count)
    for iteration in range(limit):
        solved = backend.to_numpy(_power_inside(x, block)) > GOAL
        found[alive[solved]] = iteration
        if solved.any():
            rows = backend.asarray(np.flatnonzero(~solved))
            alive, block = alive[~solved], block.take(rows)
            x = block.backend.xp.take(x, rows, axis=0)
        if not len(alive):
            break
        (x,) = solver.advance((x,), block, 1)
    return Trials(found, _speed(solver, _block(intensities, 1, pixels, backend), seed))


def _block(intensities: NDArray[np.float64], count: int, pixels: int, backend: Backend) -> Block:
    with warnings.catch_warnings():  # it is the number of pixels that determines the image
        warnings.simplefilter("ignore", UserWarning)
        measurement = Measurement(np.repeat(intensities[None], count, axis=0), intensities.shape, np.arange(count))
    block = box_block(measurement, backend, real=True, nonnegative=True, mask=measurement.measured)
    return replace(block, pixels=pixels)


def _guesses(block: Block, seed: int) -> Array:
    """Positive random numbers with the measured magnitudes, one image for each trial.

    What they add up to stays, since it is not measured. It is theirs: in RRR.c numbers up to 1 stand in an image whose
    unit is that of a unitary transform.
    """
    streams, unit = Streams(seed), math.sqrt(math.prod(block.grid))
    noise = np.stack([streams.generator(trial).random(block.grid) for trial in range(block.support.shape[0])])
    return block.project_magnitude(block.backend.asarray(noise / unit))


def _power_inside(x: Array, block: Block) -> Array:
    """(B,) the part of the power of P_M(2 P_S x − x) in the pixels where P_S x differs from zero."""
    xp = block.backend.xp
    s = block.project_object(x)
    power = block.project_magnitude(2 * s - x) ** 2
    inside = xp.where(s > 0, power, xp.zeros_like(power))
    return xp.sum(inside, axis=(1, 2)) / xp.sum(power, axis=(1, 2))


def _speed(solver: RelaxedReflectReflect, block: Block, seed: int, count: int = 500) -> float:
    state = solver.advance(solver.begin(_guesses(block, seed), block), block, 20)  # which lays out the memory
    began = time.process_time()
    solver.advance(state, block, count)
    return count / (time.process_time() - began)
