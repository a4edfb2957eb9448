"""A schedule of projection maps, one after the other on the same image."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, field_validator

from datasets.labels import label_of, read_label
from datasets.refusals import of_value
from solvers.backend import Array
from solvers.iterative.block import Block
from solvers.iterative.solver import IterativeSolver
from solvers.iterative.state import State
from solvers.projection.base import ProjectionSolver
from solvers.projection.difference_map import DifferenceMap
from solvers.projection.er import ErrorReduction
from solvers.projection.hio import HybridInputOutput
from solvers.projection.raar import RelaxedAveragedAlternatingReflections
from solvers.projection.rrr import RelaxedReflectReflect
from solvers.projection.schedule import Repeat, Stage, read_schedule

MAPS: dict[str, type[ProjectionSolver]] = {
    kind.name: kind
    for kind in (
        ErrorReduction,
        HybridInputOutput,
        RelaxedAveragedAlternatingReflections,
        DifferenceMap,
        RelaxedReflectReflect,
    )
}


class Cycle(IterativeSolver):
    """The stages of a schedule, again and again until the iterations of a start are done.

    All stages iterate the same image. What an iterate stands for is said by the map that made it. Without `iterations`
    the first start goes through the schedule once, and the k-th start k times.
    """

    name = "cycle"
    summary = "a schedule of projection maps"

    iterations: int = Field(
        0, ge=0, le=10**6, description="of the first start, k times in the k-th; 0: once through the schedule"
    )
    schedule: str = Field("3*(er:20+hio:180)+er:20", description="as 3*(er:20+hio[beta=0.8]:180)+er:20")

    @field_validator("schedule")
    @classmethod
    def _canonical(cls, schedule: str) -> str:
        found = read_schedule(schedule)
        return str(_renamed(found, {stage.map: _label(_map(stage.map)) for stage in set(found.stages())}))

    def begin(self, guess: Array, block: Block) -> State:
        return guess, block.backend.asarray(np.zeros(guess.shape[0], dtype=np.int64))

    def advance(self, state: State, block: Block, count: int) -> State:
        advanced, _, _ = self._each_age(state, block, count, look=False)
        return advanced

    def advance_and_check(self, state: State, block: Block, count: int) -> tuple[State, Array, Array]:
        return self._each_age(state, block, count, look=True)

    def estimate(self, state: State, block: Block) -> Array:
        """Of images that are all as old as the first of them."""
        x, age = state
        return self._map_of(int(age[0])).solution(x, block)

    def iterated_by(self, block: Block) -> str:
        return "+".join(sorted({stage.iterated_by(block) for stage in self._maps}))

    def transforms(self, state: State, iterations: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of each iteration by its map, and of each look by the map of the iteration before."""
        first, second = (
            np.array([one.transforms(state, np.array([n]))[0] for one in self._maps]) for n in (1, 2)
        )  # a look is among the first
        each, look = second - first, 2 * first - second
        spent = np.concatenate([[0], np.cumsum(each[self._at])])
        length = len(self._at)
        total = iterations // length * spent[-1] + spent[iterations % length]
        for i, last in enumerate(iterations.tolist()):
            looks = np.unique(np.append(np.arange(self.look_every, last + 1, self.look_every), last))
            total[i] += look[self._at[(looks - 1) % length]].sum()
        return total

    @property
    def first_iterations(self) -> int:
        return self.iterations or len(self._at)

    @cached_property
    def _stages(self) -> list[Stage]:
        return list(read_schedule(self.schedule).stages())

    @cached_property
    def _labels(self) -> list[str]:
        return list(dict.fromkeys(stage.map for stage in self._stages))

    @cached_property
    def _maps(self) -> list[ProjectionSolver]:
        """The maps that occur in the schedule."""
        return [_map(label) for label in self._labels]

    @cached_property
    def _at(self) -> NDArray[np.int64]:
        """Which of the maps does each iteration of the schedule."""
        which = [self._labels.index(stage.map) for stage in self._stages]
        return np.repeat(which, [stage.iterations for stage in self._stages])

    def _map_of(self, age: int) -> ProjectionSolver:
        """The map that made an image of this age; of a guess, the one that will take it first."""
        return self._maps[self._at[max(age - 1, 0) % len(self._at)]]

    def _each_age(self, state: State, block: Block, count: int, *, look: bool) -> tuple[State, Array, Array]:
        """`count` iterations of images that may stand at different places of the schedule, and perhaps a look."""
        xp, backend = block.backend.xp, block.backend
        x, age = state
        ages = backend.to_numpy(age) % len(self._at)
        found = []
        groups = [np.flatnonzero(ages == one) for one in np.unique(ages)]
        for rows in groups:
            if len(groups) == 1:
                found.append(self._run(x, block, int(ages[0]), count, look=look))
            else:
                index = backend.asarray(rows)
                part = self._run(xp.take(x, index, axis=0), block.take(index), int(ages[rows[0]]), count, look=look)
                found.append(part)
        if len(groups) == 1:
            x, estimate, residual = found[0]
        else:
            order = backend.asarray(np.argsort(np.concatenate(groups)))
            x, estimate, residual = (
                xp.take(xp.concat(list(parts)), order, axis=0) for parts in zip(*found, strict=True)
            )
        return (x, age + count), estimate, residual

    def _run(self, x: Array, block: Block, age: int, count: int, *, look: bool) -> tuple[Array, Array, Array]:
        """`count` iterations of images of this age; then the estimate and the residual, if these are asked for."""
        which = self._at[np.arange(age, age + count) % len(self._at)]
        ends = [0, *(np.flatnonzero(np.diff(which)) + 1).tolist(), count]
        for begin, end in pairwise(ends):
            stage = self._maps[which[begin]]
            if look and end == count:
                (x,), estimate, residual = stage.advance_and_check((x,), block, end - begin)
                return x, estimate, residual
            (x,) = stage.advance((x,), block, end - begin)
        return x, x, x


def _map(label: str) -> ProjectionSolver:
    """The map that a stage names.

    Raises:
        ValueError: there is no such map, or it has no such parameter; in one line.
    """
    name, values = read_label(label, "map")
    if name not in MAPS:
        raise ValueError(f"unknown map '{name}': choose from {', '.join(MAPS)}")
    own = [field for field in MAPS[name].model_fields if field not in ProjectionSolver.model_fields]
    for key in values:
        if key not in own:
            raise ValueError(f"'{name}' takes {', '.join(own) or 'nothing'} in a schedule, not '{key}'")
    try:
        return MAPS[name](**values)  # type: ignore[arg-type]  # pydantic reads them
    except ValidationError as error:
        raise ValueError(f"'{label}': {of_value(error, MAPS[name])}") from error


def _label(solver: ProjectionSolver) -> str:
    return label_of(solver.name, solver)


def _renamed(term: Repeat, labels: dict[str, str]) -> Repeat:
    """The same schedule with other spellings of its maps."""
    return replace(
        term,
        terms=tuple(
            replace(one, map=labels[one.map]) if isinstance(one, Stage) else _renamed(one, labels) for one in term.terms
        ),
    )
