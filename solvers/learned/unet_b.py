"""U-Net-B (Tayal et al., section 3, after Sinha et al.): the image learned from its intensities, no symmetry broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from datasets.problem import Problem
from solvers.learned.unet_solver import UNetSolver

if TYPE_CHECKING:
    from solvers.learned.network import Network


class UNetB(UNetSolver):
    name: ClassVar[str] = "unet_b"
    summary: ClassVar[str] = "U-Net trained on the images as they are; predicts the image from the intensities"

    @property
    def transforms_per_image(self) -> int:  # type: ignore[override]
        """Those of the encoding."""
        return 0 if self.preset == "paper" else 2

    def model(self, problem: Problem) -> Network:
        from solvers.learned.image_model import ImageModel

        return ImageModel(problem.frame, grid=problem.grid, plane=self.preset == "paper", counts=self.preset == "noise")
