"""Whether two starts of an image have found the same: then the search is over.

Starts end in many wrong basins, each in a different one. The right basin is wide: what is found twice is taken for the
object. Two starts in it differ by less than the noise, because both carry the noise of the same pattern.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from datasets.blocks import map_blocks
from datasets.scaling import times_two_to_the
from solvers.composed.registration import distance
from solvers.iterative.noise import pixel_variance
from solvers.iterative.units import normalised

# Tuned on training images: relative errors of images that are the same whatever the noise, and of different ones.
SAME, DIFFERENT = 1e-4, 0.05


def agree(images: NDArray, others: NDArray, measurement: Measurement, *, threads: int = 1) -> NDArray[np.bool_]:
    """Whether two reconstructions (B, m1, m2) of each valid pattern of a real object differ by no more than its noise.

    The noise is that of the pixels of the support. Where a part of the pattern was not measured there is more than is
    allowed for, and fewer images agree. An image of zeros agrees with none.
    """
    unit, part = normalised(measurement)
    support = measurement.support
    pixels = np.prod(measurement.object_shape) if support is None else support.sum(axis=(1, 2))
    noise = pixels * pixel_variance(part.intensities)
    same = np.zeros(len(images), dtype=bool)

    def compare(block: slice) -> None:
        one, other = (times_two_to_the(x[block].astype(np.float64), -unit[block]) for x in (images, others))
        energy = np.maximum((one**2).sum(axis=(1, 2)), noise[block] + np.finfo(np.float64).tiny)
        apart = np.array([distance(a, b) for a, b in zip(one, other, strict=True)])
        same[block] = apart <= np.clip(noise[block] / energy, SAME, DIFFERENT)

    map_blocks(compare, len(images), 8, threads)
    return same
