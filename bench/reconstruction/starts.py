"""The starts of a reconstruction: the same pattern solved again and again, each time from other random numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.errors import Exit, RequestError
from bench.executors.base import Place
from bench.executors.inline import Inline
from bench.executors.processes import Processes
from bench.executors.task import CallError, Task
from bench.sweep.solved import MalformedError, Solved
from datasets import Measurement
from datasets.problem import Problem
from solvers import Backend, Status
from solvers.labels import read_label
from solvers.registry import BUILT_IN

DATASET = "pattern"  # what the column `dataset` would say


class FailedError(RequestError):
    """The solver raised an error, or has no use for such a pattern."""

    status: ClassVar[Exit] = Exit.SOLVER


@dataclass(frozen=True)
class Start:
    """What became of one start."""

    image: NDArray  # (m1, m2)
    residual: float  # NaN where it diverged
    iterations: int
    status: str


@dataclass(frozen=True)
class Known:
    """A pattern with what is known of its object: what every start is given."""

    intensities: NDArray[np.float64]  # (m1, m2), as in a Measurement
    object_shape: tuple[int, int]
    support: NDArray[np.bool_] | None = None  # (n1, n2)
    real: bool = False
    nonnegative: bool = False

    @property
    def problem(self) -> Problem:
        """Nothing is known of where the object lies, nor which way up: the paper's hardest variant."""
        rows, columns = self.intensities.shape
        return Problem(
            dataset=DATASET,
            object="real" if self.real else "complex",
            variant="shift_flip",
            frame=self.object_shape,
            grid=(rows, columns),
        )

    def measurement(self, starts: Sequence[int]) -> Measurement:
        """One image for each of these starts: its number is the key of its random numbers."""
        with warnings.catch_warnings():  # that the box is large is said once, by the caller
            warnings.simplefilter("ignore", UserWarning)
            return Measurement(
                intensities=np.broadcast_to(self.intensities, (len(starts), *self.intensities.shape)),
                object_shape=self.object_shape,
                indices=np.array(starts, dtype=np.int64),
                real=self.real,
                nonnegative=np.full(len(starts), self.nonnegative),
                support=self.support,
            )


@contextmanager
def place_of(label: str, backend: Backend) -> Iterator[Place]:
    """Where a solver runs: built-in ones in this process, plug-ins in one of their own."""
    if read_label(label)[0] in BUILT_IN:
        yield Inline(None, backend)
    else:
        with Processes(None, backend) as workers:
            yield workers


def solve(known: Known, label: str, starts: Sequence[int], seed: int, place: Place) -> list[Start]:
    """Each of these starts, side by side.

    Raises:
        FailedError: the solver failed, or does not take such a pattern.
    """
    measurement = known.measurement(starts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            task = Task(
                "solve", label, (measurement,), {"problem": known.problem.model_dump(mode="json"), "seed": seed}
            )
            answer = place.ask(task)
            solved = Solved.of(answer, measurement)
        except (CallError, MalformedError) as error:
            raise FailedError(f"solver '{label}' failed: {error}") from error
    found = solved.found
    if found is None:
        raise FailedError(f"solver '{label}' failed: {solved.reason}")
    if Status.INVALID in found.status:
        raise FailedError(f"solver '{label}' does not take this pattern: it needs one that is whole, or other objects")
    return [
        Start(image.copy(), float(residual), int(iterations), str(status))
        for image, residual, iterations, status in zip(
            found.images, found.residual, found.iterations, found.status, strict=True
        )
    ]
