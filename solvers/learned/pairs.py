"""What a network learns from: patterns as it is going to see them, and the objects that they are of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.photons import count_half_plane
from datasets.streams import TRAINING_NOISE
from solvers.learned.model import intensities
from solvers.learned.photons import PhotonRange


class Pairs(NamedTuple):
    """A batch of them.

    Attributes:
        half: (batch, m1, m2 // 2 + 1) float32, intensities with the zero frequency first; the brightest is 1, as when a
            solver is given them.
        photons: (batch,) float32, expected in all of a pattern; infinite where it has no noise.
        objects: (batch, h, w) float32, in the units of these intensities.
    """

    half: Tensor
    photons: Tensor
    objects: Tensor


def shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The numbers below `count` in the order of an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def observe(
    objects: Tensor, grid: tuple[int, int], photons: PhotonRange, *, indices: NDArray[np.int64], seed: int, epoch: int
) -> Pairs:
    """Real objects (batch, h, w), float32, with their patterns, where they are.

    The number of photons and the noise of an image depend on (seed, epoch, index) alone.
    """
    half = intensities(torch.fft.rfft2(objects, s=grid))
    counts = np.full(len(half), np.inf)
    if photons.noisy:
        streams = [np.random.default_rng([seed, epoch, int(index), TRAINING_NOISE]) for index in indices]
        counts = photons.at(np.array([stream.random() for stream in streams]))
        expected = half.cpu().numpy()
        seen = [
            count_half_plane(pattern, grid[1], count, stream)
            for pattern, count, stream in zip(expected, counts, streams, strict=True)
        ]
        half = torch.from_numpy(np.stack(seen)).to(half)
    brightest = half.amax(dim=(1, 2), keepdim=True)
    unit = torch.where(brightest > 0, brightest, 1)
    return Pairs(half / unit, torch.from_numpy(counts).to(half), objects / unit.sqrt())
