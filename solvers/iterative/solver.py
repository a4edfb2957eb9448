"""What all iterative solvers have in common.

A solver states how to begin, how to go on, and what image its state stands for. Everything else is in the loop, once.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from datasets import Measurement
from datasets.problem import Problem
from solvers.backend import Array
from solvers.base import Information, Reconstruction, Refiner, Streams
from solvers.errors import ParameterError
from solvers.iterative.block import Block
from solvers.iterative.loop import reconstruct
from solvers.iterative.state import CHECK_EVERY, Ends, Snapshot, State
from solvers.iterative.support import Box, Largest, Shrinkwrap, Support


class IterativeSolver(Refiner):
    """A solver that improves an estimate step by step, from a random start or from what another solver has left.

    Several starts are tried one after the other, until one of them reaches the tolerance; the start with the
    smallest residual is kept, never the one nearest to the truth. The same rule picks the best of the estimates
    that a start passes through.

    The k-th start may take k times as long as the first. The iterations to a solution have a heavy tail: starts of one
    length are too short for some images, whatever it is. New starts of one length solved half of 17 training images
    that five starts of RRR had left unsolved, and growing ones six in seven.
    """

    nonneg: bool = Field(False, description="use that the object is nonnegative")
    real: bool = Field(True, description="use that the object is real-valued, where it is")
    support: Support = Field(
        Box(), description="box: the given box or mask; shrinkwrap[…]: estimated within it; largest[pixels=…]"
    )
    iterations: int = Field(
        1000, ge=1, le=10**6, description="iterations of the first start, at most; k times as many of the k-th"
    )
    starts: int = Field(1, ge=1, le=1000, description="random starts, at most; chosen by residual")
    tolerance: float = Field(1e-3, ge=0, description="magnitude residual at which an image is finished")
    phase_min: float | None = Field(None, description="of complex objects: the smallest phase of a pixel, in radians")
    phase_max: float | None = Field(None, description="the largest one, less than a turn above it")

    @model_validator(mode="after")
    def _fits_together(self) -> IterativeSolver:
        if self.nonneg and not self.real:
            raise ValueError("nonneg=true needs real=true")
        if (self.phase_min is None) != (self.phase_max is None):
            raise ValueError("give both phase_min and phase_max, or neither")
        if self.phases and not 0 < self.phases[1] - self.phases[0] < 2 * math.pi:
            raise ValueError("phase_max must lie above phase_min, by less than 2π")
        if self.phases and self.nonneg:
            raise ValueError("nonneg=true leaves no phases: leave phase_min and phase_max out")
        return self

    @property
    def phases(self) -> tuple[float, float] | None:
        """The range of phases that pixels of complex objects may have."""
        return None if self.phase_min is None or self.phase_max is None else (self.phase_min, self.phase_max)

    @property
    def first_iterations(self) -> int:
        """How many the first start takes, at most."""
        return self.iterations

    @property
    def look_every(self) -> int:
        """Iterations between two looks at the residual: at each of them a support may be estimated, too."""
        return self.support.every if isinstance(self.support, Shrinkwrap) else CHECK_EVERY

    @abstractmethod
    def begin(self, guess: Array, block: Block) -> State:
        """The state from which to iterate, for guesses (B, m1, m2) with the energy of the object."""

    @abstractmethod
    def advance(self, state: State, block: Block, count: int) -> State:
        """`count` iterations. The arrays of `state` may be overwritten: only what is returned is the state."""

    @abstractmethod
    def estimate(self, state: State, block: Block) -> Array:
        """The images (B, m1, m2) that a state stands for; they satisfy the object constraints."""

    @abstractmethod
    def transforms(self, state: State, iterations: NDArray[np.int64]) -> NDArray[np.int64]:
        """(B,) Fourier transforms that a start has cost after these iterations."""

    def advance_and_check(self, state: State, block: Block, count: int) -> tuple[State, Array, Array]:
        """`count` iterations; then the images (B, m1, m2) that the new state stands for, and their residual (B,)."""
        state = self.advance(state, block, count)
        estimate = self.estimate(state, block)
        return state, estimate, block.residual(estimate)

    def pursue(self, state: State, block: Block, limit: NDArray[np.int64]) -> Ends | None:
        """All iterations of starts that have just begun, up to a limit (B,) each, where a kernel does that.

        It keeps the rules of the loop: an image is looked at after every CHECK_EVERY iterations and at
        its limit, and ends when its residual is within the tolerance, or not finite the first time. None where there
        is no such kernel: the loop then calls `advance_and_check`, as it does for an observer, and where the support
        changes on the way.
        """
        return None

    def constrain(self, block: Block, measurement: Measurement) -> Block:
        """The constraints on the images of a measurement, which is normalised, as this solver takes them."""
        return block

    def iterated_by(self, block: Block) -> str:
        """What does the iterations of this block: "portable", or the name of a kernel as in `Reconstruction`."""
        return "portable"

    def refusal(self, problem: Problem) -> str:
        if isinstance(self.support, Largest) and self.support.pixels >= math.prod(problem.frame):
            n1, n2 = problem.frame
            return f"{self.support} leaves nothing out: an object of {n1}x{n2} has {n1 * n2} pixels"
        return self._unfit(problem.phase is None)

    def _unfit(self, real: bool) -> str:
        """Why these parameters are not for such objects."""
        if self.nonneg and not real:
            return f"{self.name}[nonneg=true] was given complex objects, which cannot be nonnegative"
        if self.phases and self.real and real:
            return f"{self.name} was given a range of phases, but real objects have none"
        return ""

    def information(self) -> Information:
        return Information(
            support=self.support.uses, real=self.real, nonnegative=self.nonneg, phases=self.phases is not None
        )

    def solve(
        self, measurement: Measurement, rng: Streams, observer: Callable[[Snapshot], None] | None = None
    ) -> Reconstruction:
        """Reconstruct a batch; an `observer` is shown every block at every check, on one thread.

        With `nonneg`, an object that is not known to be nonnegative is left out, and its status is INVALID.

        Raises:
            ParameterError: what only real objects have is to be used of complex ones, or phases of real ones.
        """
        return self._solve(measurement, rng, observer, None)

    def refine(self, images: NDArray, measurement: Measurement, rng: Streams) -> Reconstruction:
        """As `solve`; the first start begins from these images, shifted to where the box holds the most of them.

        In place of an image of zeros there is a random guess.
        """
        return self._solve(measurement, rng, None, images)

    def _solve(
        self,
        measurement: Measurement,
        rng: Streams,
        observer: Callable[[Snapshot], None] | None,
        given: NDArray | None,
    ) -> Reconstruction:
        if reason := self._unfit(measurement.real):
            raise ParameterError(reason)
        return reconstruct(self, measurement, rng, observer, given)
