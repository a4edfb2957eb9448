"""What the projection solvers share: the state is one image, an iteration is one application of a published map."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from datasets import Measurement
from datasets.forward import half_plane
from solvers.backend import Array, Backend
from solvers.iterative.block import Block
from solvers.iterative.kernels import Kernel, kernel, replacement, serve
from solvers.iterative.noise import trusted
from solvers.iterative.solver import IterativeSolver
from solvers.iterative.state import CHECK_EVERY, Ends, State


class ProjectionSolver(IterativeSolver):
    """A fixed-point iteration x ← T(x) of the projections P_M (magnitudes) and P_S (support, nonnegativity).

    The portable code calls `step` and `solution`. Kernels do the same for the maps of this package, which say so with
    `replaced_by`.
    """

    relax: float = Field(
        0.0, ge=0, description="photons at which P_M takes a magnitude half of the way; no kernel does that"
    )

    @model_validator(mode="after")
    def _relaxed_is_real(self) -> ProjectionSolver:
        if self.relax and not self.real:
            raise ValueError(
                "relax needs real=true: the noise is told from the symmetry of a real object's intensities"
            )
        return self

    def _unfit(self, real: bool) -> str:
        if self.relax and not real:
            return f"{self.name}[relax={self.relax:g}] was given complex objects: it takes real ones"
        return super()._unfit(real)

    def remark(self, backend: Backend) -> str:
        """That no kernel relaxes P_M."""
        slow = f"{self.name}[relax=…] runs the portable code, which is slower than the kernel: no kernel relaxes P_M"
        return slow if self.relax else ""

    def constrain(self, block: Block, measurement: Measurement) -> Block:
        """With `relax` = κ > 0, P_M takes a magnitude of c photons by c / (c + κ) of the way to the measured one."""
        if not self.relax:
            return block
        weight = trusted(measurement.intensities, self.relax)
        return replace(block, weight=block.backend.asarray(half_plane(weight)))

    @abstractmethod
    def step(self, x: Array, block: Block) -> Array:
        """One application of the map to images (B, m1, m2)."""

    def solution(self, x: Array, block: Block) -> Array:
        """The image that an iterate stands for; for most maps a fixed point x* gives the solution P_M x*."""
        projections = kernel("er", block, beta=0.0)
        return projections.iterate(x, 1) if projections else block.project_object(block.project_magnitude(x))

    def begin(self, guess: Array, block: Block) -> State:
        return (guess,)

    def advance(self, state: State, block: Block, count: int) -> State:
        (x,) = state
        fast = self._kernel(block)
        if fast:
            return (fast.iterate(x, count),)
        for _ in range(count):
            given, x = x, self.step(x, block)
            if getattr(x, "shape", None) != given.shape:
                found = f"an array of shape {tuple(x.shape)}" if hasattr(x, "shape") else repr(x)
                raise ValueError(f"step takes images of shape {tuple(given.shape)}, and gave {found}")
            if x.dtype != given.dtype and not _equally_precise(block.backend.xp, x.dtype, given.dtype):
                raise ValueError(f"step takes images in {given.dtype}, and gave some in {x.dtype}")
        return (x,)

    def advance_and_check(self, state: State, block: Block, count: int) -> tuple[State, Array, Array]:
        ends = self._pursue(state, block, np.full(state[0].shape[0], count), every=count)  # with one look, at the end
        if ends is None:
            return super().advance_and_check(state, block, count)
        return ends.state, ends.estimate, ends.residual

    def pursue(self, state: State, block: Block, limit: NDArray[np.int64]) -> Ends | None:
        return self._pursue(state, block, limit, CHECK_EVERY)

    def has_kernel(self) -> bool:
        """Whether the kernel that replaces this map, if there is one, knows these parameters."""
        return True

    def iterated_by(self, block: Block) -> str:
        fast = self._kernel(block)
        return fast.label if fast else super().iterated_by(block)

    def estimate(self, state: State, block: Block) -> Array:
        (x,) = state
        return self.solution(x, block)

    def transforms(self, state: State, iterations: NDArray[np.int64]) -> NDArray[np.int64]:
        checks = -(-iterations // self.look_every)
        return 2 * iterations + 3 * checks  # a check projects once and transforms the estimate

    def _pursue(self, state: State, block: Block, limit: NDArray[np.int64], every: int) -> Ends | None:
        fast = self._kernel(block)
        return fast.pursue(state[0], limit, every, self.tolerance) if fast else None

    def _kernel(self, block: Block) -> Kernel | None:
        name = replacement(type(self)) if serve(block) and self.has_kernel() else None
        return kernel(name, block, getattr(self, "beta", 0.0)) if name else None


def _equally_precise(xp: Any, one: Any, other: Any) -> bool:
    """Whether two types have the same precision, real or complex."""
    try:
        return xp.finfo(one).eps == xp.finfo(other).eps
    except (TypeError, ValueError):  # one is no floating-point type
        return False
