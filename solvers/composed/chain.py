"""A chain of solvers: a network and then iterations, or one map after another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr, field_validator, model_validator

from datasets import Measurement
from datasets.problem import Problem
from solvers.backend import Backend
from solvers.base import Information, Reconstruction, Refiner, Solver, Streams
from solvers.composed.mean import Leaders, averaged, next_generation
from solvers.composed.stages import best_of_stages, numbers_used, read_stages, together, write_stages
from solvers.errors import ParameterError
from solvers.files import sha256

_REAL = "need real objects, whose patterns tell how many photons there are"


class Chain(Solver):
    """Each stage begins where the one before has ended, wherever on the grid that left the object.

    Every start goes through all stages with random numbers of its own, and the smallest residual at the end decides.
    A network draws no random numbers: a second start goes without it, and begins at random with the second stage.
    Under noise no start reaches a tolerance, so that all starts have the same length here. The mean of several of them
    then has a smaller error than the best one, and a larger residual. Further generations begin at that mean, and pass
    through the last stage alone: where that is short, they cost little (`mean.py`).
    """

    name: ClassVar[str] = "chain"
    summary: ClassVar[str] = "several solvers one after the other, each beginning where the one before has ended"

    stages: str = Field(
        "rrr[nonneg=true] + er[nonneg=true,iterations=150]",
        description="labels of solvers with + between them; the first may be a network",
    )
    starts: int = Field(1, ge=1, le=1000, description="starts through all stages, at most; chosen by residual")

    mean: int = Field(
        1, ge=1, le=1000, description="return the mean of so many of the best starts that fit alike, if none solves it"
    )
    generations: int = Field(
        1,
        ge=1,
        le=1000,
        description="means, one after the other: each of passes through the last stage from the one before",
    )

    _stages: Any = PrivateAttr(default=())

    @field_validator("stages")
    @classmethod
    def _canonical(cls, stages: str) -> str:
        return write_stages(read_stages(stages))

    @model_validator(mode="after")
    def _starts_differ(self) -> Chain:
        self._stages = read_stages(self.stages)
        if self.starts > 1 and not self.draws:
            raise ValueError(f"starts={self.starts} of '{self.stages}' would all be the same: nothing in it is random")
        if self.mean > self.starts:
            raise ValueError(f"mean={self.mean} needs as many starts, not {self.starts}")
        if self.generations > 1 and self.mean == 1:
            raise ValueError(f"generations={self.generations} are of means: mean=1 leaves none")
        if self.generations > 1 and not isinstance(self._stages[-1], Refiner):
            raise ValueError(
                f"generations={self.generations} go through the last stage from a mean, "
                f"but {self._stages[-1].name} cannot begin there"
            )
        return self

    @property
    def draws(self) -> bool:  # type: ignore[override]
        return any(stage.draws for stage in self._stages)

    def parts(self) -> tuple[Solver, ...]:
        return tuple(part for stage in self._stages for part in (stage, *stage.parts()))

    def information(self) -> Information:
        uses = together([stage.information() for stage in self._stages])
        return replace(uses, real=True) if self.generations > 1 else uses

    def refusal(self, problem: Problem) -> str:
        if self.generations > 1 and problem.phase is not None:
            return f"generations={self.generations} {_REAL}"
        return next(filter(None, (stage.refusal(problem) for stage in self._stages)), "")

    def prepare(self, backend: Backend, problem: Problem | None = None) -> None:
        super().prepare(backend, problem)
        for stage in self._stages:
            stage.prepare(backend, problem)

    def files(self, problem: Problem | None = None) -> tuple[Path, ...]:
        return tuple(path for stage in self._stages for path in stage.files(problem))

    def named_files(self) -> tuple[Path, ...]:
        return tuple(path for stage in self._stages for path in stage.named_files())

    def weights_digest(self) -> str:
        """Of the weights of the stage that has some; SHA-256 of all the digests where several have."""
        digests = [digest for stage in self._stages if (digest := stage.weights_digest())]
        if len(digests) > 1:
            return sha256("".join(digests).encode())
        return digests[0] if digests else ""

    @property
    def streams_used(self) -> int:
        again = (self.generations - 1) * self.mean * self._stages[-1].streams_used
        return self.starts * numbers_used(self._stages) + again

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        if self.generations > 1 and not measurement.real:
            raise ParameterError(f"generations={self.generations} {_REAL}")
        if self.mean == 1:
            return best_of_stages(self._stages, self.starts, measurement, rng)
        leaders, threads = Leaders(len(measurement), self.mean), self.backend.threads
        found = best_of_stages(self._stages, self.starts, measurement, rng, seen=leaders.add)
        mean = averaged(found, leaders, measurement, threads)
        *_, last = self._stages
        first = rng.first + self.starts * numbers_used(self._stages)
        for number in range(self.generations - 1):
            streams = replace(rng, first=first + number * self.mean * last.streams_used)
            mean = replace(mean, found=next_generation(mean, measurement, last, self.mean, streams, threads))
        return mean.found
