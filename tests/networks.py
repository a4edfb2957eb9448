"""The learned solvers with networks small enough to train within a test, and one as somebody else may write it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from datasets import ImageSet, load_images
from solvers.learned import LearnedSolver
from solvers.learned.image_model import ImageModel
from solvers.learned.network import Network
from solvers.learned.phase_model import PhaseModel
from solvers.learned.unet_a import UNetA
from solvers.learned.unet_b import UNetB
from solvers.prior.denoiser import Architecture, Denoiser
from solvers.prior.pnp import PlugAndPlay

TINY = {"widths": (8, 16), "mixers": 1, "heads": 2}


class TinyA(UNetA):
    def model(self, problem):
        return PhaseModel(grid=problem.grid, counts=self.preset == "noise", **TINY)


class TinyB(UNetB):
    def model(self, problem):
        return ImageModel(problem.frame, grid=problem.grid, counts=self.preset == "noise", **TINY)


class Perceptron(Network):
    """One hidden layer between the intensities of any grid and the image in any frame, with buffers of two types."""

    def __init__(self, frame, grid, width):
        super().__init__()
        self.frame, self.grid = frame, grid
        self.layers = nn.Sequential(
            nn.Linear(grid[0] * (grid[1] // 2 + 1), width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, frame[0] * frame[1]),
        )

    def drawn(self, half):
        return self.layers(half.flatten(1)).unflatten(1, self.frame).float()

    def loss(self, half, photons, objects):
        return (self.drawn(half) - objects).square().sum(dim=(1, 2)).mean()

    def reconstruct(self, half, photons=None):
        images = torch.zeros(len(half), *self.grid)
        images[:, : self.frame[0], : self.frame[1]] = self.drawn(half)
        return images


class TheirSolver(LearnedSolver):
    name = "theirs"
    summary = "a perceptron"
    width: int = 4

    def model(self, problem):
        return Perceptron(problem.frame, problem.grid, self.width)


class TinyPrior(PlugAndPlay):
    def model(self, problem):
        return Denoiser(Architecture(widths=(8, 16), features=8))


def few_images(count: int = 80) -> ImageSet:
    data = load_images("sample", "train")
    return replace(data, images=data.images[:count], labels=data.labels[:count])
