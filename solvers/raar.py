"""Relaxed averaged alternating reflections."""

from __future__ import annotations

from pydantic import Field

from solvers.backend import Array
from solvers.block import Block
from solvers.kernels import replaced_by
from solvers.projection import ProjectionSolver


@replaced_by("raar", "step", "solution")
class RelaxedAveragedAlternatingReflections(ProjectionSolver):
    """x ← β/2 (R_S R_M + I) x + (1 − β) P_M x, with the reflections R = 2P − I.

    Source: Luke, Inverse Problems 21, 37 (2005), eq. 9. Written out with p = P_M x, this is
    β (P_S(2p − x) + x − p) + (1 − β) p: one transform pair.
    """

    name = "raar"
    summary = "relaxed averaged alternating reflections"

    beta: float = Field(0.9, gt=0, le=1, description="relaxation β")

    def step(self, x: Array, block: Block) -> Array:
        p = block.project_magnitude(x)
        return self.beta * (block.project_object(2 * p - x) + x - p) + (1 - self.beta) * p
