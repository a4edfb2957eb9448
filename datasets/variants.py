"""The four symmetry variants of Tayal et al., section 3: where a 28×28 tile lies in its 42×42 frame, and which way up.

The placement of image *i* is a pure function of (seed, split, i): an image gets the same flip and the same
shift in any subset, order, shard or process, and `flip` turns exactly the images that `shift_flip` turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.streams import PLACEMENT, split_code

FRAME = (42, 42)  # n of the paper: 28 + 7 pixels of padding on every side
GRID = (96, 96)  # m of the paper: above 2n − 1 = 83


class Variant(StrEnum):
    """Which symmetries the data contains, in the order of the paper's Table 1."""

    NONE = "none"
    FLIP = "flip"
    SHIFT = "shift"
    SHIFT_FLIP = "shift_flip"

    @property
    def flips(self) -> bool:
        return self in (Variant.FLIP, Variant.SHIFT_FLIP)

    @property
    def shifts(self) -> bool:
        return self in (Variant.SHIFT, Variant.SHIFT_FLIP)


VARIANTS: dict[str, str] = {
    "none": "every image in the centre of the frame",
    "flip": "centred; half of the images turned by 180 degrees",
    "shift": "anywhere in the frame, uniformly",
    "shift_flip": "half of the images turned, then all placed anywhere",
}


@dataclass(frozen=True)
class Placement:
    """Where each tile goes. All arrays have shape (N,)."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    flipped: NDArray[np.bool_]


def placements(
    variant: Variant | str,
    *,
    seed: int,
    split: str,
    indices: ArrayLike,
    tile: tuple[int, int] = (28, 28),
    frame: tuple[int, int] = FRAME,
) -> Placement:
    """Placement of the images with these indices (N,) in the data set's own numbering.

    Shifts are uniform over all (frame − tile + 1) positions of each axis; a flip has probability one half.
    """
    variant = Variant(variant)
    indices = np.asarray(indices, dtype=np.int64)
    # One row of draws per image, taken from the head of one stream: a prefix never depends on its length.
    draws = np.random.default_rng([seed, split_code(split), PLACEMENT]).random((int(indices.max(initial=-1)) + 1, 3))
    u = draws[indices]
    room = np.subtract(frame, tile)
    if np.any(room < 0):
        raise ValueError(f"a tile of {tile} does not fit into a frame of {frame}")
    corner = np.floor(u[:, :2] * (room + 1)).astype(np.int64) if variant.shifts else np.tile(room // 2, (len(u), 1))
    flipped = u[:, 2] < 0.5 if variant.flips else np.zeros(len(u), dtype=bool)
    return Placement(corner[:, 0], corner[:, 1], flipped)


def place(tiles: NDArray, placement: Placement, frame: tuple[int, int] = FRAME) -> NDArray:
    """Tiles (N, h, w) in frames (N, *frame) of zeros, each turned by 180 degrees where its placement says so.

    The flip of a complex tile is conjugated: that is the symmetry of the measurement.
    """
    n, h, w = tiles.shape
    turned = np.conj(tiles[:, ::-1, ::-1])
    tiles = np.where(placement.flipped[:, None, None], turned, tiles)
    frames = np.zeros((n, *frame), dtype=tiles.dtype)
    rows = placement.row[:, None, None] + np.arange(h)[:, None]
    columns = placement.column[:, None, None] + np.arange(w)
    frames[np.arange(n)[:, None, None], rows, columns] = tiles
    return frames
