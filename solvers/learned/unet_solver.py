"""What U-Net-A and U-Net-B have in common besides their network: the presets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from solvers.learned.base import LearnedSolver

Preset = Literal["default", "paper", "noise"]


class UNetSolver(LearnedSolver):
    preset: Preset = Field(
        "default",
        description="default: the best known without noise; paper: as the paper describes it; "
        "noise: trained with photon noise, and told how many photons there are",
    )

    def photons(self) -> str:
        return "1e3:1e9" if self.preset == "noise" else "none"
