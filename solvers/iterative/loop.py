"""The one loop around all iterative solvers: stopping, restarts, and finished images making room for waiting ones."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from datasets.scaling import times_two_to_the
from solvers.backend import Array, Backend
from solvers.base import Reconstruction, Status, Streams
from solvers.iterative.block import Block, box_block
from solvers.iterative.guess import fitted, random_guess
from solvers.iterative.shrinkwrap import shrinkwrap
from solvers.iterative.state import Snapshot, State
from solvers.iterative.support import Largest, Shrinkwrap
from solvers.iterative.tasks import Tasks
from solvers.iterative.units import in_units, normalised

if TYPE_CHECKING:
    from solvers.iterative.solver import IterativeSolver


def reconstruct(
    solver: IterativeSolver,
    measurement: Measurement,
    rng: Streams,
    observer: Callable[[Snapshot], None] | None,
    given: NDArray | None,
) -> Reconstruction:
    """Reconstruct a batch on the threads of the solver's backend; the first start from the given images, if any."""
    threads = 1 if observer or solver.backend.device == "cuda" else solver.backend.threads
    workers = max(1, min(threads, len(measurement)))
    run = _Run(solver, measurement, rng, observer, given, workers)
    with solver.backend.single_threaded():
        if workers == 1:
            run.drain()
        else:
            with ThreadPoolExecutor(workers, initializer=solver.backend.compute_alone) as pool:
                try:
                    working = [pool.submit(run.drain) for _ in range(workers)]
                    wait(working, return_when=FIRST_EXCEPTION)
                finally:
                    run.tasks.cancel()  # after an error or an interruption
            for worker in working:
                worker.result()
    return run.reconstruction()


def block_size(backend: Backend, grid: tuple[int, int]) -> int:
    """Images per block: on a CPU as many as stay in the second-level cache where the portable code takes them all at
    once, on a GPU enough to fill it many times, in some ten arrays of a quarter of a gigabyte."""
    return 16 if backend.device == "cpu" else max(1, 2**26 // math.prod(grid))


@dataclass(frozen=True)
class _Slots:
    """The images that a worker has in hand, one per row of every array."""

    image: NDArray[np.int64]
    start: NDArray[np.int64]
    age: NDArray[np.int64]
    unit: NDArray[np.int32]  # of a pixel, as an exponent of two
    block: Block
    box: Array
    state: State
    best_residual: Array
    best_estimate: Array

    def select(self, rows: NDArray[np.int64]) -> _Slots:
        xp, index = self.block.backend.xp, self.block.backend.asarray(rows)
        take = lambda a: xp.take(a, index, axis=0)  # noqa: E731
        return _Slots(
            self.image[rows],
            self.start[rows],
            self.age[rows],
            self.unit[rows],
            self.block.take(index),
            take(self.box),
            tuple(take(a) for a in self.state),
            take(self.best_residual),
            take(self.best_estimate),
        )

    def join(self, other: _Slots) -> _Slots:
        xp = self.block.backend.xp
        return _Slots(
            np.concatenate([self.image, other.image]),
            np.concatenate([self.start, other.start]),
            np.concatenate([self.age, other.age]),
            np.concatenate([self.unit, other.unit]),
            self.block.join(other.block),
            xp.concat([self.box, other.box]),
            tuple(xp.concat(pair) for pair in zip(self.state, other.state, strict=True)),
            xp.concat([self.best_residual, other.best_residual]),
            xp.concat([self.best_estimate, other.best_estimate]),
        )


class _Run:
    """One call of solve(): the tasks (image, start) that workers take, and the results they leave."""

    def __init__(
        self,
        solver: IterativeSolver,
        measurement: Measurement,
        rng: Streams,
        observer: Callable[[Snapshot], None] | None,
        given: NDArray | None,
        workers: int,
    ) -> None:
        self.solver, self.measurement, self.rng, self.observer = solver, measurement, rng, observer
        self.given = given
        self.backend = solver.backend
        self.real = solver.real and measurement.real
        n, valid = len(measurement), measurement.valid()
        if solver.nonneg:
            valid &= measurement.nonnegative
        self.tasks = Tasks([(int(i), 0) for i in np.flatnonzero(valid)], workers)
        self.images = np.zeros(
            (n, *measurement.grid),
            dtype=self.backend.precision if self.real else np.result_type(self.backend.precision, np.complex64),
        )
        self.residual = np.where(valid, np.inf, np.nan)
        self.iterations = np.zeros(n, dtype=np.int64)
        self.starts = np.zeros(n, dtype=np.int64)
        self.transforms = np.zeros(n, dtype=np.int64)
        self.kernel = ""
        self.status = [Status.STOPPED if ok else Status.INVALID for ok in valid]
        self.began, self.observed = time.perf_counter(), 0.0

    def drain(self) -> None:
        """Work on blocks of images until there are no more."""
        slots = self._admit(None)
        while slots is not None:
            slots = self._pursue(slots) or self._iterate(slots)
            finished = self._retire(slots)
            if finished.any():
                going = np.flatnonzero(~finished)
                slots = self._admit(slots.select(going) if len(going) else None)

    def reconstruction(self) -> Reconstruction:
        return Reconstruction(
            self.images, self.residual, self.iterations, self.starts, self.transforms, self.status, self.kernel
        )

    def _admit(self, slots: _Slots | None) -> _Slots | None:
        """Fill the free places of a block; None where nothing is left to do."""
        free = block_size(self.backend, self.measurement.grid) - (0 if slots is None else len(slots.image))
        tasks = self.tasks.take(free, patient=slots is None)
        if not tasks:
            return slots
        fresh = self._fresh(tasks)
        return fresh if slots is None else slots.join(fresh)

    def _fresh(self, tasks: list[tuple[int, int]]) -> _Slots:
        xp, solver = self.backend.xp, self.solver
        image, start = (np.array(column, dtype=np.int64) for column in zip(*tasks, strict=True))
        unit, part = normalised(self.measurement[image])
        mask = None if part.whole().all() else part.measured
        block = box_block(part, self.backend, real=self.real, nonnegative=solver.nonneg, mask=mask)
        block = solver.constrain(block, part)
        if isinstance(solver.support, Shrinkwrap):  # from the beginning: all iterations are computed in the same way
            block = replace(block, box=None)
        elif isinstance(solver.support, Largest):
            block = replace(block, pixels=solver.support.pixels)
        if solver.phases:
            block = replace(block, phases=solver.phases)
        self.kernel = solver.iterated_by(block)  # the same for all blocks of a measurement
        begun = np.zeros((len(tasks), *part.grid), dtype=self.images.dtype)
        n1, n2 = part.object_shape
        energy = np.nanmean(part.intensities, axis=(1, 2))  # of the objects, by Parseval, as far as it was measured
        for row, (index, s) in enumerate(zip(part.indices, start, strict=True)):
            support = None if part.support is None else part.support[row]
            if self.given is not None and s == 0 and self.given[image[row]].any():
                left = fitted(self.given[image[row]], (n1, n2), self.real, support)
                begun[row, :n1, :n2] = times_two_to_the(left, -unit[row])
                continue
            guess = random_guess(self.rng.generator(index, int(s)), (n1, n2), self.real)
            if support is not None:
                guess = np.where(support, guess, 0)
            begun[row, :n1, :n2] = guess * np.sqrt(energy[row] / np.sum(np.abs(guess) ** 2))
        guesses = self.backend.asarray(begun)
        return _Slots(
            image,
            start,
            np.zeros_like(image),
            unit,
            block,
            block.support,
            solver.begin(guesses, block),
            self.backend.asarray(np.full(len(tasks), np.inf)),
            xp.zeros_like(guesses),
        )

    def _pursue(self, slots: _Slots) -> _Slots | None:
        """All iterations of a fresh block; None where they must be done step by step."""
        if self.observer is not None or isinstance(self.solver.support, Shrinkwrap):
            return None
        ends = self.solver.pursue(slots.state, slots.block, self._limit(slots))
        if ends is None:
            return None
        return replace(
            slots, age=ends.iterations, state=ends.state, best_residual=ends.residual, best_estimate=ends.estimate
        )

    def _iterate(self, slots: _Slots) -> _Slots:
        """Iterations up to each image's next check, which comes at its own ages, and that check."""
        xp, solver = self.backend.xp, self.solver
        counts = np.minimum(solver.look_every - slots.age % solver.look_every, self._limit(slots) - slots.age)
        state, estimate, residual = self._advance_and_check(slots, counts)
        if isinstance(solver.support, Shrinkwrap) and solver.support.keep == "last":
            better = xp.isfinite(residual)
        else:
            better = residual < slots.best_residual
        slots = replace(
            slots,
            age=slots.age + counts,
            state=state,
            best_residual=xp.where(better, residual, slots.best_residual),
            best_estimate=xp.where(better[:, None, None], estimate, slots.best_estimate),
        )
        if self.observer is not None:
            self._show(slots, residual, estimate)
        if isinstance(solver.support, Shrinkwrap):
            slots = self._wrap(slots, estimate, solver.support)
        return slots

    def _advance_and_check(self, slots: _Slots, counts: NDArray[np.int64]) -> tuple[State, Array, Array]:
        """So many iterations of each image, in one go: a kernel rounds differently when it is stopped on the way."""
        xp, solver = self.backend.xp, self.solver
        groups = [np.flatnonzero(counts == one) for one in np.unique(counts)]
        if len(groups) == 1:
            return solver.advance_and_check(slots.state, slots.block, int(counts[0]))
        parts = []
        for rows in groups:
            index = self.backend.asarray(rows)
            state = tuple(xp.take(a, index, axis=0) for a in slots.state)
            state, *seen = solver.advance_and_check(state, slots.block.take(index), int(counts[rows[0]]))
            parts.append((*state, *seen))
        order = self.backend.asarray(np.argsort(np.concatenate(groups)))
        *arrays, estimate, residual = (
            xp.take(xp.concat(list(column)), order, axis=0) for column in zip(*parts, strict=True)
        )
        return tuple(arrays), estimate, residual

    def _wrap(self, slots: _Slots, estimate: Array, rule: Shrinkwrap) -> _Slots:
        """Estimate the supports of the images that are old enough."""
        due = slots.age >= rule.first
        if not due.any():
            return slots
        xp = self.backend.xp
        updates = self.backend.asarray(np.maximum(slots.age - rule.first, 0) // rule.every)
        support = shrinkwrap(
            xp,
            estimate,
            slots.box,
            updates,
            sigma=rule.widths,
            decay=rule.decay,
            threshold=rule.threshold,
            finish=rule.end,
            progress=self.backend.asarray(slots.age / self._limit(slots)),
        )
        support = xp.where(self.backend.asarray(due)[:, None, None], support, slots.block.support)
        return replace(slots, block=replace(slots.block, support=support))

    def _limit(self, slots: _Slots) -> NDArray[np.int64]:
        """(B,) iterations after which each image's present start is given up."""
        return self.solver.first_iterations * (1 + slots.start)

    def _retire(self, slots: _Slots) -> NDArray[np.bool_]:
        """Record the images whose start has ended, and queue their next one; True for each of them."""
        solver = self.solver
        residual = self.backend.to_numpy(slots.best_residual).astype(np.float64)
        solved = residual <= solver.tolerance
        lost = ~np.isfinite(residual) & (slots.age >= solver.look_every)
        ended = solved | lost | (slots.age >= self._limit(slots))
        if not ended.any():
            return ended
        rows = np.flatnonzero(ended)
        xp, index = self.backend.xp, self.backend.asarray(rows)
        estimates = self.backend.to_numpy(xp.take(slots.best_estimate, index, axis=0))
        estimates, right = in_units(estimates, slots.unit[rows])
        residual[rows[~right]], solved[rows[~right]] = np.inf, False
        transforms = solver.transforms(slots.state, slots.age)
        followers = []
        for row, estimate in zip(rows, estimates, strict=True):
            i = slots.image[row]
            self.iterations[i] += slots.age[row]
            self.transforms[i] += transforms[row]
            self.starts[i] += 1
            if residual[row] < self.residual[i]:
                self.residual[i], self.images[i] = residual[row], estimate
            if solved[row]:
                self.status[i] = Status.SOLVED
            elif slots.start[row] + 1 < solver.starts:
                followers.append((int(i), int(slots.start[row]) + 1))
            elif not np.isfinite(self.residual[i]):
                self.status[i], self.residual[i] = Status.DIVERGED, np.nan
        self.tasks.done(len(rows), followers)
        return ended

    def _show(self, slots: _Slots, residual: Array, estimate: Array) -> None:
        assert self.observer is not None
        self.backend.synchronize()
        now = time.perf_counter()
        self.observer(
            Snapshot(
                slots.image,
                slots.start,
                slots.age,
                self.backend.to_numpy(residual).astype(np.float64),
                in_units(self.backend.to_numpy(estimate), slots.unit)[0],
                now - self.began - self.observed,
            )
        )
        self.observed += time.perf_counter() - now
