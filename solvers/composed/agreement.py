"""Whether two starts of an image have found the same: then the search is over.

Starts end in many wrong basins, and each in another one. The right basin is wide: what is found there twice, and fits
better than all else, is taken for the object. From one start to the next it differs by less than the noise, because the
noise in both is that of the one pattern.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from datasets.photons import estimate_photons
from solvers.composed.registration import register

SAME = 1e-4  # relative error of images that are the same whatever the noise; tuned on training images
TRANSFORMS = 5  # that a comparison takes: of both images, the correlations of both orientations, and back


def agree(images: NDArray, others: NDArray, measurement: Measurement) -> NDArray[np.bool_]:
    """Whether two reconstructions (B, m1, m2) of each pattern of real objects differ by no more than its noise.

    A magnitude √y has the variance ¼ photon, and ⅛ where the pattern of a real object has it twice. With N photons in
    all, that is n / 8N of the energy of the object in the n pixels of its box. An image of zeros agrees with none.
    """
    noise = np.prod(measurement.object_shape) / (8 * estimate_photons(measurement.intensities))
    apart = np.array([register(image, other).error for image, other in zip(images, others, strict=True)])
    return apart <= np.maximum(noise, SAME)
