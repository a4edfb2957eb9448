"""Error reduction."""

from __future__ import annotations

from solvers.backend import Array
from solvers.block import Block
from solvers.kernels import replaced_by
from solvers.projection import ProjectionSolver


@replaced_by("er", "step", "solution")
class ErrorReduction(ProjectionSolver):
    """Alternating projections:  x ← P_S P_M x.

    Source: Gerchberg and Saxton, Optik 35, 237 (1972); Fienup, Appl. Opt. 21, 2758 (1982), "error reduction".
    The residual never grows, and the iteration stops at the nearest local minimum.
    """

    name = "er"
    summary = "error reduction: alternating projections"

    def step(self, x: Array, block: Block) -> Array:
        return block.project_object(block.project_magnitude(x))
