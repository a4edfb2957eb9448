"""U-Net-A (Tayal et al., section 2): phases learned from symmetry-broken data, inverted with the magnitudes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from datasets import Variant, place, placements
from datasets.problem import Problem
from solvers.errors import ParameterError
from solvers.learned import symmetry
from solvers.learned.unet_solver import Preset, UNetSolver

if TYPE_CHECKING:
    from solvers.learned.network import Network

# The rounded centroid is the only integer centring that keeps an object and its flip together; it can lie far from
# the middle of a 28×28 content, hence the larger frame.
_BREAKING: dict[Preset, tuple[symmetry.Index, symmetry.Centring, tuple[int, int]]] = {
    "default": (symmetry.VERTICAL_INDEX, "box", (32, 32)),
    "paper": (symmetry.PAPER_INDEX, "centroid", (56, 56)),
    "noise": (symmetry.VERTICAL_INDEX, "box", (32, 32)),
}


class UNetA(UNetSolver):
    name: ClassVar[str] = "unet_a"
    summary: ClassVar[str] = (
        "U-Net trained with symmetries broken; predicts phases, inverts with the measured magnitudes"
    )

    @property
    def transforms_per_image(self) -> int:  # type: ignore[override]
        """One of the inversion; and two of the encoding, and one of the drawn image."""
        return 1 if self.preset == "paper" else 4

    def model(self, problem: Problem) -> Network:
        from solvers.learned.phase_model import PhaseModel, PlanePhaseModel

        if self.preset == "paper":
            return PlanePhaseModel(grid=problem.grid)
        return PhaseModel(grid=problem.grid, counts=self.preset == "noise")

    def equivalent(self, variant: Variant) -> tuple[Variant, ...]:
        """Centring removes the shifts, whose training data are therefore those of the variant without them."""
        return (Variant.FLIP, Variant.SHIFT_FLIP) if variant.flips else (Variant.NONE, Variant.SHIFT)

    def objects(
        self, images: NDArray, indices: NDArray[np.int64], problem: Problem, *, seed: int, epoch: int
    ) -> NDArray:
        """Canonical forms, the same in every epoch.

        The orientation is decided about the exact centre, and the object then put on the nearest whole pixel: half a
        pixel is no symmetry of an image on a grid. Where the data has no flips there is no flip to break: the
        orientation of the images is knowledge that the variant gives away.
        """
        deciding, centring, frame = _BREAKING[self.preset]
        drawn = placements(problem.variant, seed=seed, split=problem.split, indices=indices)
        frames = place(images, drawn, problem.frame)
        if Variant(problem.variant).flips:
            frames = symmetry.orient(frames, problem.grid, deciding=deciding, centring=centring)
        try:
            return symmetry.recentre(frames, frame, centring)
        except ValueError as error:
            raise ParameterError(f"{self.name}: {error}") from error
