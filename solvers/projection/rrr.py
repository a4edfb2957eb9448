"""Relaxed-reflect-reflect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from solvers.backend import Array
from solvers.iterative.block import Block
from solvers.iterative.kernels import replaced_by
from solvers.iterative.state import State
from solvers.projection.base import ProjectionSolver


@replaced_by("rrr", "step", "solution")
class RelaxedReflectReflect(ProjectionSolver):
    """x ← x + β [P_M(2 P_S x − x) − P_S x].

    Source: Elser, Lan and Bendory, SIAM J. Imaging Sci. 11, 2429 (2018), eq. 1.2. At a fixed point
    P_S x satisfies both constraints.
    """

    name = "rrr"
    summary = "relaxed-reflect-reflect"

    beta: float = Field(0.6, gt=0, lt=2, description="relaxation β")

    def step(self, x: Array, block: Block) -> Array:
        s = block.project_object(x)
        return x + self.beta * (block.project_magnitude(2 * s - x) - s)

    def solution(self, x: Array, block: Block) -> Array:
        return block.project_object(x)

    def transforms(self, state: State, iterations: NDArray[np.int64]) -> NDArray[np.int64]:
        return 2 * iterations + -(-iterations // self.look_every)  # a check only transforms the estimate
