"""Shrink-wrap: the support re-estimated from the reconstruction.

Source: Marchesini et al., Phys. Rev. B 68, 140101 (2003).
"""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from solvers.backend import Array

THRESHOLD = 0.2  # of the largest blurred value: the paper's
SIGMA_FIRST, SIGMA_LAST = 3.0, 1.5  # pixels: the paper's
DECAY = 0.99  # of sigma at each update: "reduced by 1%" in the paper


def shrinkwrap(
    xp: ModuleType,
    estimate: Array,
    box: Array,
    updates: Array,
    *,
    sigma: tuple[float, float] = (SIGMA_FIRST, SIGMA_LAST),
    decay: float = DECAY,
    threshold: float = THRESHOLD,
) -> Array:
    """The pixels where the blurred magnitude of an estimate exceeds a part of its largest value.

    Args:
        xp: the array namespace.
        estimate: (B, m1, m2), real or complex.
        box: bool (B, m1, m2), within which the support stays.
        updates: (B,) how often each image's support was updated before: the blur narrows with it.
        sigma: of the blur in pixels, at the first update, and the smallest that it becomes.
        decay: of sigma at each update.
        threshold: part of the largest blurred value.

    Returns:
        bool (B, m1, m2).
    """
    _, m1, m2 = estimate.shape
    magnitude = xp.abs(estimate)
    first, last = sigma
    width = xp.clip(first * decay ** xp.astype(updates, magnitude.dtype), last, None)[:, None, None]
    # The grid is periodic, so the blur is a product in Fourier space; a Gaussian's transform is a Gaussian.
    k1, k2 = np.fft.fftfreq(m1)[:, None], np.fft.rfftfreq(m2)[None, :]  # CuPy has none on a chosen device
    squared = xp.asarray(k1**2 + k2**2, dtype=magnitude.dtype, device=magnitude.device)
    kernel = xp.exp(-2 * math.pi**2 * width**2 * squared[None, :, :])
    blurred = xp.fft.irfftn(xp.fft.rfftn(magnitude, axes=(1, 2)) * kernel, s=(m1, m2), axes=(1, 2))
    return box & (blurred > threshold * xp.max(blurred, axis=(1, 2), keepdims=True))
