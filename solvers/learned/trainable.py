"""What `bench train` asks of a solver: its network, and the images to train it on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from datasets import Variant, placements
from datasets.variants import Placement

if TYPE_CHECKING:
    from solvers.learned.network import Network

Preset = Literal["default", "paper"]

EPOCHS_AT_MOST = 100_000  # keeps the placements of one seed's epochs apart from those of the next seed


class Trainable(ABC):
    """A solver with a network."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def model(cls, preset: Preset) -> Network:
        """The untrained network of a preset, with its loss."""

    @classmethod
    @abstractmethod
    def equivalent(cls, variant: Variant) -> tuple[Variant, ...]:
        """The variants that give this solver the same training data as this one, in the paper's order."""

    @classmethod
    @abstractmethod
    def objects(
        cls,
        tiles: NDArray[np.uint8],
        indices: NDArray[np.int64],
        variant: Variant,
        preset: Preset,
        seed: int,
        epoch: int,
    ) -> NDArray[np.uint8]:
        """What is to be predicted (N, h, w) for these training images (N, 28, 28) in one epoch."""

    @classmethod
    def fresh_each_epoch(cls, variant: Variant) -> bool:
        """`objects` differ from epoch to epoch."""
        return False

    @classmethod
    def file_name(cls, preset: Preset, variant: Variant) -> str:
        return f"{cls.name}-{preset}-{cls.equivalent(variant)[0]}.safetensors"


def fresh_placements(variant: Variant, seed: int, epoch: int, indices: NDArray[np.int64]) -> Placement:
    """Placements of training images that differ from epoch to epoch."""
    return placements(variant, seed=EPOCHS_AT_MOST * seed + epoch, split="train", indices=indices)
