"""Hybrid input-output."""

from __future__ import annotations

from pydantic import Field

from solvers.backend import Array
from solvers.iterative.block import Block
from solvers.iterative.kernels import replaced_by
from solvers.projection.base import ProjectionSolver


@replaced_by("hio", "step", "solution")
class HybridInputOutput(ProjectionSolver):
    """x ← P_M x where that satisfies the object constraints, x − β P_M x elsewhere.

    Source: Fienup, Appl. Opt. 21, 2758 (1982), eq. 44. A pixel violates the constraints outside the support
    and, where these are known, where P_M x is negative or has a phase out of range.
    """

    name = "hio"
    summary = "hybrid input-output"

    beta: float = Field(0.9, gt=0, le=2, description="feedback β")

    def step(self, x: Array, block: Block) -> Array:
        output = block.project_magnitude(x)
        return block.backend.xp.where(block.satisfied(output), output, x - self.beta * output)
