"""U-Net-A (Tayal et al., section 2): phases learned from symmetry-broken data, inverted with the magnitudes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from datasets import Variant, place, placements
from datasets.variants import GRID
from solvers.learned import symmetry
from solvers.learned.base import LearnedSolver
from solvers.learned.trainable import Preset

if TYPE_CHECKING:
    from solvers.learned.model import RetrievalModel

# The rounded centroid is the only integer centring that keeps an object and its flip together; it can lie far from
# the middle of a 28×28 content, hence the larger frame.
_BREAKING: dict[Preset, tuple[symmetry.Index, symmetry.Centring, tuple[int, int]]] = {
    "default": (symmetry.VERTICAL_INDEX, "box", (32, 32)),
    "paper": (symmetry.PAPER_INDEX, "centroid", (56, 56)),
}


class UNetA(LearnedSolver):
    name: ClassVar[str] = "unet_a"
    summary: ClassVar[str] = (
        "U-Net trained with symmetries broken; predicts phases, inverts with the measured magnitudes"
    )

    transforms_per_image: ClassVar[int] = 4  # two of the encoding, one of the drawn image, one of the inversion

    @classmethod
    def model(cls, preset: Preset) -> RetrievalModel:
        from solvers.learned.phase_model import PhaseModel, PlanePhaseModel

        return PhaseModel() if preset == "default" else PlanePhaseModel()

    @classmethod
    def equivalent(cls, variant: Variant) -> tuple[Variant, ...]:
        """Centring removes the shifts, whose training data are therefore those of the variant without them."""
        return (Variant.FLIP, Variant.SHIFT_FLIP) if variant.flips else (Variant.NONE, Variant.SHIFT)

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
        """Canonical forms, the same in every epoch.

        The orientation is decided about the exact centre, and the object then put on the nearest whole pixel: half a
        pixel is no symmetry of an image on a grid. Where the data has no flips there is no flip to break: the
        orientation of the images is knowledge that the variant gives away.
        """
        deciding, centring, frame = _BREAKING[preset]
        frames = place(tiles, placements(variant, seed=seed, split="train", indices=indices))
        if variant.flips:
            frames = symmetry.orient(frames, GRID, deciding=deciding, centring=centring)
        return symmetry.recentre(frames, frame, centring)
