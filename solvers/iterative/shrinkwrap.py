"""Shrink-wrap: the support re-estimated from the reconstruction.

Source: Marchesini et al., Phys. Rev. B 68, 140101 (2003).

A fifth of the largest value cuts off the dark pixels of an object of high contrast: the residual then stays at the
square root of their share of the energy, and no start reaches the solution. A lower threshold from the beginning finds
no object at all, since the first estimates are noise. So the end of a start may go on to a lower threshold, with a
narrower blur that keeps the support from growing by as much.
"""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from solvers.backend import Array

THRESHOLD = 0.2  # of the largest blurred value: the paper's
SIGMA_FIRST, SIGMA_LAST = 3.0, 1.5  # pixels: the paper's
DECAY = 0.99  # of sigma at each update: "reduced by 1%" in the paper
FINISH_BEGINS, FINISH_ENDS = 0.4, 0.8  # parts of a start's iterations between which it goes on to `finish`


def shrinkwrap(
    xp: ModuleType,
    estimate: Array,
    box: Array,
    updates: Array,
    *,
    sigma: tuple[float, float] = (SIGMA_FIRST, SIGMA_LAST),
    decay: float = DECAY,
    threshold: float = THRESHOLD,
    finish: tuple[float, float] | None = None,
    progress: Array | None = None,
) -> Array:
    """The pixels where the blurred magnitude of an estimate exceeds a part of its largest value.

    With `finish` = (σ', t'), the blur is narrowed by the factor (σ' / last σ)ᵖ and the threshold is t (t' / t)ᵖ, where
    p goes from 0 to 1 while the progress of the start goes from FINISH_BEGINS to FINISH_ENDS.

    Args:
        xp: the array namespace.
        estimate: (B, m1, m2), real or complex.
        box: bool (B, m1, m2), within which the support stays.
        updates: (B,) how often each image's support was updated before: the blur narrows with it.
        sigma: of the blur in pixels, at the first update, and the smallest that it becomes.
        decay: of sigma at each update.
        threshold: part of the largest blurred value.
        finish: sigma in pixels and threshold at the end of a start; None where they stay as they are.
        progress: (B,) part of its iterations that each start has done, from 0 to 1; only `finish` asks for it.

    Returns:
        bool (B, m1, m2).

    Raises:
        ValueError: there is a `finish`, but no `progress`.
    """
    _, m1, m2 = estimate.shape
    magnitude = xp.abs(estimate)
    first, last = sigma
    width = xp.clip(first * decay ** xp.astype(updates, magnitude.dtype), last, None)
    level: float | Array = threshold
    if finish is not None:
        if progress is None:
            raise ValueError("finish needs the progress of each start")
        done = (xp.astype(progress, magnitude.dtype) - FINISH_BEGINS) / (FINISH_ENDS - FINISH_BEGINS)
        done = xp.clip(done, 0, 1)
        width = width * (finish[0] / last) ** done
        level = (threshold * (finish[1] / threshold) ** done)[:, None, None]
    # The grid is periodic, so the blur is a product in Fourier space; a Gaussian's transform is a Gaussian.
    k1, k2 = np.fft.fftfreq(m1)[:, None], np.fft.rfftfreq(m2)[None, :]  # CuPy has none on a chosen device
    squared = xp.asarray(k1**2 + k2**2, dtype=magnitude.dtype, device=magnitude.device)
    kernel = xp.exp(-2 * math.pi**2 * width[:, None, None] ** 2 * squared[None, :, :])
    blurred = xp.fft.irfftn(xp.fft.rfftn(magnitude, axes=(1, 2)) * kernel, s=(m1, m2), axes=(1, 2))
    return box & (blurred > level * xp.max(blurred, axis=(1, 2), keepdims=True))
