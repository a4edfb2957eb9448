"""U-Net-B (Tayal et al., section 3, after Sinha et al.): the image learned from its intensities, no symmetry broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from datasets import Variant, place
from datasets.variants import FRAME
from solvers.learned.base import LearnedSolver
from solvers.learned.trainable import Preset, fresh_placements

if TYPE_CHECKING:
    from solvers.learned.model import RetrievalModel


class UNetB(LearnedSolver):
    name: ClassVar[str] = "unet_b"
    summary: ClassVar[str] = "U-Net trained on the images as they are; predicts the image from the intensities"

    transforms_per_image: ClassVar[int] = 2  # of the encoding

    @classmethod
    def model(cls, preset: Preset) -> RetrievalModel:
        from solvers.learned.image_model import ImageModel

        return ImageModel(FRAME, plane=preset == "paper")

    @classmethod
    def equivalent(cls, variant: Variant) -> tuple[Variant, ...]:
        return (variant,)

    @classmethod
    def fresh_each_epoch(cls, variant: Variant) -> bool:
        return variant.flips or variant.shifts

    @classmethod
    def objects(
        cls,
        tiles: NDArray[np.uint8],
        indices: NDArray[np.int64],
        variant: Variant,
        preset: Preset,
        seed: int,
        epoch: int,
    ) -> NDArray[np.uint8]:
        """The images as the variant places them, flipped and shifted anew in every epoch."""
        return place(tiles, fresh_placements(variant, seed, epoch, indices))
