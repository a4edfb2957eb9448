"""Training images as slightly different objects, anew in every epoch, so that no network learns them by heart.

After thirteen epochs the networks of this package have six tenths of the error on the images that they were trained on
that they have on others. Deformations make more objects of the same kind: three images in four are turned, sheared and
stretched by a random linear map about their middle, bent by a smooth random field, and made brighter or darker. The
fourth stays as it is, for all of that blurs a little.

Source: Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual document
analysis" (ICDAR 2003).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from datasets.streams import DEFORMATION

SHARE = 0.75  # of the images, that are deformed
LINEAR = 0.06  # standard deviation of each of the four numbers that are added to the identity
BENT = 0.025  # that of the shifts of a point, over the side of the image
POINTS = 4  # a side, at which shifts are drawn; between them they are interpolated
BRIGHTNESS = 0.25  # the logarithm of the power that pixels are raised to is at most so large


def deformed(images: NDArray, indices: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray:
    """Images (N, h, w) with these numbers in their data set, in their own type, and no pixel larger than the largest.

    What is drawn for an image depends on (seed, epoch, index) alone.
    """
    drawn = [_draw(np.random.default_rng([seed, epoch, int(index), DEFORMATION])) for index in indices]
    rows = np.flatnonzero([one is not None for one in drawn])
    if not len(rows):
        return images
    chosen = [one for one in drawn if one is not None]
    linear, shifts, power = (torch.from_numpy(np.stack(column)).float() for column in zip(*chosen, strict=True))
    before = torch.from_numpy(images[rows].astype(np.float32))
    low, high = before.amin(dim=(1, 2), keepdim=True), before.amax(dim=(1, 2), keepdim=True)
    largest = before.abs().amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    moved = nn.functional.grid_sample(
        before[:, None], _places(linear, shifts, before.shape[1:]), mode="bicubic", align_corners=True
    )[:, 0]
    moved = torch.minimum(torch.maximum(moved, low), high)
    moved = moved.sign() * largest * (moved.abs() / largest) ** power[:, None, None]
    after = images.copy()
    after[rows] = moved.numpy() if images.dtype.kind == "f" else np.rint(moved.numpy())
    return after


class _Deformation(NamedTuple):
    linear: NDArray[np.float64]  # (2, 2)
    shifts: NDArray[np.float64]  # (2, POINTS, POINTS)
    power: NDArray[np.float64]


def _draw(rng: np.random.Generator) -> _Deformation | None:
    if rng.random() >= SHARE:
        return None
    linear = np.eye(2) + LINEAR * rng.standard_normal((2, 2))
    shifts = BENT * rng.standard_normal((2, POINTS, POINTS))
    return _Deformation(linear, shifts, np.exp(BRIGHTNESS * rng.uniform(-1, 1)))


def _places(linear: Tensor, shifts: Tensor, shape: torch.Size) -> Tensor:
    """(N, h, w, 2) where each pixel comes from: columns and rows from −1 to 1, as `grid_sample` counts them."""
    rows, columns = (torch.linspace(-1, 1, side) for side in shape)
    plane = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    bent = nn.functional.interpolate(2 * shifts, size=tuple(shape), mode="bicubic", align_corners=True)
    return torch.einsum("nij,hwj->nhwi", linear, plane) + bent.permute(0, 2, 3, 1)
