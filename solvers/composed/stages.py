"""Several solvers one after the other, each beginning where the one before has ended; and several starts of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from solvers import registry
from solvers.base import Information, Reconstruction, Refiner, Solver, Status, Streams
from solvers.composed.registration import TRANSFORMS
from solvers.errors import ParameterError
from solvers.labels import read_label, split_labels

Start = Callable[[Measurement, Streams, int], Reconstruction]  # of a measurement, the start with this number
Seen = Callable[[NDArray[np.int64], Reconstruction], None]  # told of each start: of which rows, and what it found
Same = Callable[[NDArray, NDArray, Measurement], NDArray[np.bool_]]  # of two images (batch, m1, m2) of each pattern
Refine = Callable[[NDArray, Measurement], Reconstruction]  # from images (batch, m1, m2)


def read_stages(text: str) -> tuple[Solver, ...]:
    """The solvers of `label + label + …`.

    Raises:
        SolverError: a label cannot be read, its solver is unknown, or cannot begin where another one ended.
    """
    labels = split_labels(text, "+")
    if not labels:
        raise ParameterError("name at least one solver")
    for place, label in enumerate(labels):
        name, _ = read_label(label)
        known = name in registry.BUILT_IN
        if known and (not place or issubclass(registry.solver_class(name), Refiner)):
            continue
        reason = (
            "cannot begin where another solver ended: it can only be the first" if known else "is no built-in solver"
        )
        raise ParameterError(f"'{name}' {reason}; choose from {', '.join(_choices(first=not place))}")
    return tuple(map(registry.create, labels))


def _choices(*, first: bool) -> list[str]:
    """The solvers that can be a stage."""
    return [name for name in registry.BUILT_IN if first or issubclass(registry.solver_class(name), Refiner)]


def write_stages(stages: Sequence[Solver]) -> str:
    """The one spelling of these stages."""
    return " + ".join(stage.label for stage in stages)


def together(uses: list[Information]) -> Information:
    """What solvers use that work together."""

    def words(values: list[str]) -> str:
        return " and ".join(dict.fromkeys(value for value in values if value != "none")) or "none"

    return Information(
        support=words([one.support for one in uses]),
        real=any(one.real for one in uses),
        nonnegative=any(one.nonnegative for one in uses),
        training_data=words([one.training_data for one in uses]),
        phases=any(one.phases for one in uses),
        untrained=any(one.untrained for one in uses),
    )


def run_stages(stages: Sequence[Solver], measurement: Measurement, rng: Streams) -> Reconstruction:
    """One pass through all stages. An image that one of them has solved goes no further."""
    first, *others = stages
    found = first.solve(measurement, rng)
    for stage in others:
        assert isinstance(stage, Refiner)
        found = followed(found, measurement, partial(stage.refine, rng=rng))
    return found


def best_of_stages(
    stages: Sequence[Solver],
    starts: int,
    measurement: Measurement,
    rng: Streams,
    before: int = 0,
    seen: Seen | None = None,
) -> Reconstruction:
    """Up to so many passes, of which only the very first goes through a network: that would only repeat itself.

    Args:
        before: passes of other calls that went before these.
    """
    random = [k for k, stage in enumerate(stages) if stage.draws]

    def start(part: Measurement, streams: Streams, number: int) -> Reconstruction:
        return run_stages(stages[random[0] :] if random and before + number else stages, part, streams)

    return best_of(starts if random else 1, measurement, rng, start, numbers_used(stages), seen)


def numbers_used(stages: Sequence[Solver]) -> int:
    """How many numbers of random streams a pass uses up."""
    return max(stage.streams_used for stage in stages)


def having(found: Reconstruction, *statuses: Status) -> NDArray[np.bool_]:
    """(B,) the images that were left with one of these."""
    return np.array([status in statuses for status in found.status], dtype=bool)


def followed(found: Reconstruction, measurement: Measurement, refine: Refine) -> Reconstruction:
    """What comes next takes the place of what was found, but of images that are solved, or lost."""
    rows = np.flatnonzero(having(found, Status.STOPPED))
    if not len(rows):
        return found
    then = refine(found.images[rows], measurement[rows])
    starts = found.starts.copy()
    starts[rows] = np.maximum(starts[rows], then.starts)
    return merged(found, then, rows, np.ones(len(rows), dtype=bool), starts)


def best_of(
    starts: int,
    measurement: Measurement,
    rng: Streams,
    start: Start,
    apart: int = 1,
    seen: Seen | None = None,
    same: Same | None = None,
) -> Reconstruction:
    """Up to so many starts of every image, until one solves it; the one with the smallest residual is kept.

    Args:
        start: does one of them.
        apart: how many numbers of random streams a start may use up.
        same: an image gets no more starts once one of them has found the same as the best before it.
    """
    found = start(measurement, rng, 0)
    if seen is not None:
        seen(np.arange(len(measurement)), found)
    wanted = np.ones(len(measurement), dtype=bool)
    for number in range(1, starts):
        rows = np.flatnonzero(wanted & having(found, Status.STOPPED, Status.DIVERGED))
        if not len(rows):
            break
        streams = replace(rng, first=rng.first + number * apart)
        other = start(measurement[rows], streams, number)
        if seen is not None:
            seen(rows, other)
        if same is not None:
            wanted[rows] = ~same(found.images[rows], other.images, measurement[rows])
            other = replace(other, transforms=other.transforms + TRANSFORMS)
        found = better_of(found, other, rows)
    return found


def better_of(found: Reconstruction, other: Reconstruction, rows: NDArray[np.int64]) -> Reconstruction:
    """The start with the smaller residual; NaN, of an image that has diverged, is larger than any."""
    starts = found.starts.copy()
    starts[rows] += other.starts
    before, now = (np.where(np.isnan(r), np.inf, r) for r in (found.residual[rows], other.residual))
    return merged(found, other, rows, now < before, starts)


def merged(
    found: Reconstruction,
    other: Reconstruction,
    rows: NDArray[np.int64],
    taken: NDArray[np.bool_],
    starts: NDArray[np.int64],
) -> Reconstruction:
    """Of the other's images, which are these rows, those that are taken; the costs of both."""
    images = found.images.astype(np.result_type(found.images, other.images))
    residual, status = found.residual.copy(), list(found.status)
    iterations, transforms = found.iterations.copy(), found.transforms.copy()
    images[rows[taken]] = other.images[taken]
    residual[rows[taken]] = other.residual[taken]
    for row in np.flatnonzero(taken):
        status[rows[row]] = other.status[row]
    iterations[rows] += other.iterations
    transforms[rows] += other.transforms
    kernels = dict.fromkeys(kernel for found in (found, other) for kernel in found.kernel.split(" ") if kernel)
    return Reconstruction(images, residual, iterations, starts, transforms, status, " ".join(kernels))
