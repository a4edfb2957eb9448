"""References: what can be made of a noisy measurement by someone who knows the truth X, which no solver does.

    oracle             P_S P_M X            the true phases with the measured magnitudes, projected on the constraints
    likelihood_limit   lim (P_S P_M)ᵏ X     error reduction from the truth to its end

P_M and P_S are the projections on the measured magnitudes and on what is known of the object (box or mask, realness,
nonnegativity). Error reduction descends on Σ (|F x| − √Y)², which is the likelihood of Poisson counts as far as their
roots have the same variance everywhere. Its end is thus the estimate of a solver that searches the likelihood and never
fails to find the right basin. A prior can be better than that: the limit fits noise, too. Without noise the truth
satisfies both constraints, and both estimates are the truth itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from solvers.backend import Array, Backend
from solvers.base import Reconstruction, Status, Streams
from solvers.iterative.block import Block
from solvers.projection.base import ProjectionSolver
from solvers.projection.er import ErrorReduction

LIMIT = "likelihood_limit"
USES = "the truth"
NEAR = 2.0  # times the likelihood limit of the same measurement: an error up to that is near the limit

# The mean error of 32 training images is then within 3% of that after 10 000 iterations, with 1e3 to 1e7 photons; with
# 1e6 it is 11%, nearly all of it in one image. Medians differ by less than 4%.
ITERATIONS = 2000


class TruePhases(ProjectionSolver):
    """x = P_S P_M x₀, once."""

    name: ClassVar[str] = "oracle"
    summary: ClassVar[str] = "true phases with the measured magnitudes"

    def step(self, x: Array, block: Block) -> Array:
        return block.project_object(block.project_magnitude(x))

    def solution(self, x: Array, block: Block) -> Array:
        return x


REFERENCES: Mapping[str, tuple[type[ProjectionSolver], int]] = {
    "oracle": (TruePhases, 1),
    LIMIT: (ErrorReduction, ITERATIONS),
}


def label_of(name: str) -> str:
    """How a reference is called in tables, where it must not pass for a solver."""
    return f"{name} (uses {USES})"


def reconstruct(name: str, truth: NDArray, measurement: Measurement, backend: Backend) -> Reconstruction:
    """The estimates of a reference.

    Args:
        truth: (batch, n1, n2), the objects that were measured.
        backend: where to compute; its device is not used.
    """
    kind, iterations = REFERENCES[name]
    here = Backend("torch", "cpu", backend.precision, backend.threads)
    begun = np.zeros((len(truth), *measurement.grid), dtype=truth.dtype)
    begun[:, : truth.shape[1], : truth.shape[2]] = truth
    parts = []
    for nonneg in (True, False):  # which is known of each image
        rows = np.flatnonzero(measurement.nonnegative == nonneg)
        if len(rows):
            solver = kind.model_validate({"nonneg": nonneg, "iterations": iterations, "tolerance": 0})
            solver.prepare(here)
            parts.append((rows, solver.refine(begun[rows], measurement[rows], Streams())))
    if len(parts) == 1:
        return parts[0][1]
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    status = [one for _, found in parts for one in found.status]

    def joined(field: str) -> NDArray:
        return np.concatenate([getattr(found, field) for _, found in parts])[order]

    counts = {field: joined(field) for field in ("images", "residual", "iterations", "starts", "transforms")}
    return Reconstruction(**counts, status=[Status(status[i]) for i in order], kernel=parts[0][1].kernel)
