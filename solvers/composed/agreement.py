"""Whether two starts of an image have found the same: then the search is over.

Starts end in many wrong basins, each in a different one. The right basin is wide: what is found twice is taken for the
object. Two starts in it differ by less than the noise, because both carry the noise of the same pattern.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from datasets.blocks import map_blocks
from datasets.photons import one_photon
from datasets.scaling import times_two_to_the
from solvers.composed.registration import distance
from solvers.iterative.units import normalised

# Tuned on training images: relative errors of images that are the same whatever the noise, and of different ones.
SAME, DIFFERENT = 1e-4, 0.05


def agree(images: NDArray, others: NDArray, measurement: Measurement, *, threads: int = 1) -> NDArray[np.bool_]:
    """Whether two reconstructions (B, m1, m2) of each valid pattern of a real object differ by no more than its noise.

    A magnitude √y has the variance ¼ photon, and ⅛ where the pattern of a real object has it twice: over m1 m2, that is
    the variance of each pixel of the support. Where a part of the pattern was not measured there is more of it, and
    fewer images agree. An image of zeros agrees with none.
    """
    unit, part = normalised(measurement)
    support = measurement.support
    pixels = np.prod(measurement.object_shape) if support is None else support.sum(axis=(1, 2))
    noise = pixels * one_photon(part.intensities) / (8 * np.prod(measurement.grid))

    def compare(block: slice) -> NDArray[np.bool_]:
        one, other = (times_two_to_the(x[block].astype(np.float64), -unit[block]) for x in (images, others))
        energy = np.maximum((one**2).sum(axis=(1, 2)), noise[block] + np.finfo(np.float64).tiny)
        apart = np.array([distance(a, b) for a, b in zip(one, other, strict=True)])
        return apart <= np.clip(noise[block] / energy, SAME, DIFFERENT)

    return np.concatenate(map_blocks(compare, len(images), 8, threads))
