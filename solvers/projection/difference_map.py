"""The difference map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from solvers.backend import Array
from solvers.iterative.block import Block
from solvers.iterative.kernels import replaced_by
from solvers.iterative.state import State
from solvers.projection.base import ProjectionSolver


@replaced_by("difference_map", "step", "solution")
class DifferenceMap(ProjectionSolver):
    """x ← x + β [P_S f_M(x) − P_M f_S(x)],  f_M = P_M + (P_M − I)/β,  f_S = P_S − (P_S − I)/β.

    Source: Elser, J. Opt. Soc. Am. A 20, 40 (2003), eqs. 10 to 13 with the parameters of eq. 23. With β = 1 both
    terms share one P_M; any other β costs two transform pairs an iteration.
    """

    name = "difference_map"
    summary = "difference map"

    beta: float = Field(1.0, gt=-2, lt=2, description="step β, not zero")

    @field_validator("beta")
    @classmethod
    def _not_zero(cls, beta: float) -> float:
        if beta == 0:
            raise ValueError("must not be zero")
        return beta

    def step(self, x: Array, block: Block) -> Array:
        p = block.project_magnitude(x)
        in_object = block.project_object(p + (p - x) / self.beta)
        if self.beta == 1:
            return x + in_object - p  # f_S is the identity
        s = block.project_object(x)
        return x + self.beta * (in_object - block.project_magnitude(s - (s - x) / self.beta))

    def transforms(self, state: State, iterations: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs = 1 if self.beta == 1 else 2
        return super().transforms(state, iterations) + 2 * (pairs - 1) * iterations

    def has_kernel(self) -> bool:
        return self.beta == 1
