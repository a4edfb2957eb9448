"""A reconstruction that was asked for, checked as a whole before anything is computed or written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import RequestError
from bench.executors.plugins import describe
from bench.reconstruction.extent import estimated_shape
from bench.reconstruction.pattern import Pattern
from bench.reconstruction.result import Reconstructed, combine
from bench.reconstruction.starts import Known, Start, place_of, solve
from datasets.forward import determined
from solvers import Backend, IterativeSolver, create
from solvers.iterative.support import Largest, Shrinkwrap
from solvers.labels import read_label, write_label
from solvers.registry import BUILT_IN

# σ, decay and threshold were tuned on complex objects made of training images, with 1e5 and 1e6 photons.
SOLVER = 'cycle[support="shrinkwrap[sigma=3:1,decay=0.95,keep=last]"]'
STARTS = 20
MOST = 10_000  # starts


@dataclass(frozen=True)
class Job:
    """A pattern, what is known of its object, and how it is to be solved.

    Attributes:
        solver: canonical label; each start is one call of it.
        code: SHA-256 of the code that solves.
        files: SHA-256 of the files that the solver reads.
    """

    known: Known
    solver: str
    starts: int
    seed: int
    backend: Backend
    code: str
    files: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What decides every start, but for the code and the files of the solver."""
        return {
            "pattern_sha256": self.known.measurement([0]).digest(),
            "solver": self.solver,
            "seed": self.seed,
            "backend": self.backend.name,
            "device": self.backend.device,
            "precision": self.backend.precision,
        }

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits that change with what decides a start."""
        parts = json.dumps([self.identity, self.code, self.files], sort_keys=True)
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    def run(
        self,
        done: Mapping[int, Start] | None = None,
        finished: Callable[[int, Start], None] = lambda number, start: None,
    ) -> Reconstructed:
        """Solve the starts that are not done, and put all of them together.

        Args:
            done: starts that were solved before, by their numbers.
            finished: told of each start when it is solved.

        Raises:
            FailedError: the solver failed.
        """
        starts = dict(done or {})
        missing = [number for number in range(self.starts) if number not in starts]
        side_by_side = max(1, self.backend.threads if self.backend.device == "cpu" else len(missing))
        with place_of(self.solver, self.backend) as place:
            for first in range(0, len(missing), side_by_side):
                numbers = missing[first : first + side_by_side]
                found = solve(self.known, self.solver, numbers, self.seed, place)
                for number, start in zip(numbers, found, strict=True):
                    starts[number] = start
                    finished(number, start)
        ordered = [starts[number] for number in range(self.starts)]
        return combine(self.known, self.solver, ordered, self.notes, self.warnings)


def plan(
    pattern: Pattern,
    backend: Backend,
    *,
    solver: str = SOLVER,
    starts: int | None = None,
    seed: int = 0,
    object_shape: tuple[int, int] | None = None,
    support: NDArray[np.bool_] | None = None,
    real: bool = False,
) -> Job:
    """What is to be done with a pattern.

    Args:
        solver: label. One with nonneg=true says that the object is real and nonnegative; its `starts` are these.
        starts: 20 where neither this nor the label says how many.
        object_shape: (n1, n2) of a box that holds the object; estimated where it is not given.
        support: (n1, n2) mask of the object, instead of a box.
        real: the object is real.

    Raises:
        RequestError, SolverError: something does not go with something else.
    """
    built_in = create(solver) if read_label(solver)[0] in BUILT_IN else None
    label, starts = _starts(solver if built_in is None else built_in.label, starts)
    if seed < 0:
        raise RequestError(f"--seed: a seed must not be negative, got {seed}")
    rule = built_in.support if isinstance(built_in, IterativeSolver) else None
    nonnegative = built_in is not None and built_in.information().nonnegative
    notes, warnings = list(pattern.notes), list(pattern.warnings)
    if support is not None:
        if object_shape not in (None, support.shape):
            raise RequestError(f"--object {_by(object_shape)}, but the support is {_by(support.shape)}: leave one out")
        if not support.any():
            raise RequestError("the support is empty: it must be true, or not zero, somewhere")
        object_shape = support.shape[0], support.shape[1]
        taken = tuple(int(np.ptp(np.flatnonzero(support.any(axis=1 - axis)))) + 1 for axis in (0, 1))
    elif object_shape is None and isinstance(rule, Largest):
        object_shape = pattern.grid
        notes.append("the object may lie anywhere on the grid")
    elif object_shape is None:
        object_shape = estimated_shape(pattern.intensities)
        notes.append(f"object estimated as {_by(object_shape)} from the autocorrelation (--object says otherwise)")
        if np.isnan(pattern.intensities[0, 0]):
            warnings.append(
                "without the zero frequency the autocorrelation makes an object smaller than it is: give its --object"
            )
    if any(n > m for n, m in zip(object_shape, pattern.grid, strict=True)):
        raise RequestError(f"an object of {_by(object_shape)} does not fit on a grid of {_by(pattern.grid)}")
    extent = object_shape if support is None else taken
    if not isinstance(rule, Largest) and not determined((extent[0], extent[1]), pattern.grid):
        warnings.append(
            f"an object of {_by(extent)} is larger than half of the grid of {_by(pattern.grid)}: "
            "the pattern does not determine it; a smaller --object does"
        )
    if isinstance(rule, Shrinkwrap) and rule.keep == "best":
        warnings.append(
            "of each start the estimate with the smallest residual is kept, which for a noisy pattern is an early one "
            "with a large support: shrinkwrap[keep=last] keeps the last one"
        )
    known = Known(pattern.intensities, object_shape, support, real or nonnegative, nonnegative)
    if built_in is not None:
        if reason := built_in.refusal_of(backend) or built_in.refusal(known.problem):
            raise RequestError(f"--solver: {reason}")
        warnings += built_in.remarks(backend)
    described = describe(label, [known.problem])
    files = tuple(described.files[known.problem])
    return Job(known, described.label, starts, seed, backend, described.code, files, tuple(notes), tuple(warnings))


def _starts(label: str, starts: int | None) -> tuple[str, int]:
    """A label without its starts, and how many there are to be."""
    name, values = read_label(label)
    if name in BUILT_IN and "mean" in values:
        raise RequestError("--solver: the starts that agree are averaged here: leave 'mean' out of the label")
    if name in BUILT_IN and "agree" in values:
        raise RequestError("--solver: all starts are compared here: leave 'agree' out of the label")
    if name in BUILT_IN and "starts" in values:
        inside = int(values.pop("starts"))
        if starts not in (None, inside):
            raise RequestError(f"--starts {starts}, but the solver has starts={inside}: leave one of them out")
        label, starts = write_label(name, values), inside
    starts = STARTS if starts is None else starts
    if not 1 <= starts <= MOST:
        raise RequestError(f"--starts: {starts} is out of range: 1 to {MOST}")
    return label, starts


def _by(shape: Sequence[int] | None) -> str:
    return "x".join(map(str, shape or ()))
