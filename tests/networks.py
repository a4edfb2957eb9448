"""The solvers with a network, with networks small enough to train within a test."""

from __future__ import annotations

from dataclasses import replace

from datasets import ImageSet, load_images
from solvers.learned.image_model import ImageModel
from solvers.learned.phase_model import PhaseModel
from solvers.learned.unet_a import UNetA
from solvers.learned.unet_b import UNetB
from solvers.prior.denoiser import Architecture, Denoiser
from solvers.prior.pnp import PlugAndPlay

TINY = {"widths": (8, 16), "mixers": 1, "heads": 2}


class TinyA(UNetA):
    @classmethod
    def model(cls, preset):
        return PhaseModel(**TINY)


class TinyB(UNetB):
    @classmethod
    def model(cls, preset):
        return ImageModel(**TINY)


class TinyPrior(PlugAndPlay):
    @classmethod
    def model(cls, preset):
        return Denoiser(Architecture(widths=(8, 16), features=8))


def few_images(count: int = 80) -> ImageSet:
    data = load_images("sample", "train")
    return replace(data, images=data.images[:count], labels=data.labels[:count])
