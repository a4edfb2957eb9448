"""The learned solvers with networks small enough to train within a test."""

from __future__ import annotations

from dataclasses import replace

from datasets import ImageSet, load_images
from solvers.learned.image_model import ImageModel
from solvers.learned.phase_model import PhaseModel
from solvers.learned.unet_a import UNetA
from solvers.learned.unet_b import UNetB

TINY = {"widths": (8, 16), "mixers": 1, "heads": 2}


class TinyA(UNetA):
    def model(self, problem):
        return PhaseModel(grid=problem.grid, counts=self.preset == "noise", **TINY)


class TinyB(UNetB):
    def model(self, problem):
        return ImageModel(problem.frame, grid=problem.grid, counts=self.preset == "noise", **TINY)


def few_images(count: int = 80) -> ImageSet:
    data = load_images("sample", "train")
    return replace(data, images=data.images[:count], labels=data.labels[:count])
