"""Plug-and-play: annealed steps between a learned denoiser and the measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement, Variant, place
from solvers.base import Information, Reconstruction, Solver, Streams
from solvers.errors import ParameterError
from solvers.learned.trainable import Preset, Trainable, fresh_placements

if TYPE_CHECKING:
    from solvers.learned.network import Network


class PlugAndPlay(Trainable, Solver):
    name: ClassVar[str] = "pnp"
    summary: ClassVar[str] = "plug-and-play: a learned denoiser and the measured magnitudes, in annealed steps"

    @classmethod
    def model(cls, preset: Preset) -> Network:
        """The denoiser, untrained.

        Raises:
            ParameterError: it has one preset.
        """
        from solvers.prior.denoiser import Denoiser

        if preset != "default":
            raise ParameterError(f"{cls.name} has no preset '{preset}': choose default")
        return Denoiser()

    @classmethod
    def equivalent(cls, variant: Variant) -> tuple[Variant, ...]:
        """All: a prior of images at any place serves every variant."""
        return tuple(Variant)

    @classmethod
    def fresh_each_epoch(cls, variant: Variant) -> bool:
        return True

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
        """The images anywhere in a field, half of them turned, anew in every epoch."""
        from solvers.prior.denoiser import FIELD

        return place(tiles, fresh_placements(Variant.SHIFT_FLIP, seed, epoch, indices), (FIELD, FIELD))

    def information(self) -> Information:
        return Information(support="box", real=True, nonnegative=True, training_data="fashion_mnist")

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        raise NotImplementedError
