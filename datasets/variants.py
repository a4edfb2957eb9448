"""The four symmetry variants of Tayal et al., section 3: where a 28×28 tile lies in its 42×42 frame, and which way up.

The placement of image *i* is a pure function of (seed, split, i): an image gets the same flip and the same
shift in any subset, order, shard or process, and `flip` turns exactly the images that `shift_flip` turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets import arrays
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
    """Where N tiles of any size go in a frame of any size.

    Attributes:
        drawn: float64 (N, 2) in [0, 1), by which a row and a column are chosen; None for the centre of the frame.
        flipped: bool (N,), True for the tiles that are turned by 180 degrees.
    """

    drawn: NDArray[np.float64] | None
    flipped: NDArray[np.bool_]

    def corners(self, tile: tuple[int, int], frame: tuple[int, int] = FRAME) -> NDArray[np.int64]:
        """(N, 2) row and column of the first pixel of each tile, uniform over all (frame − tile + 1) places of an axis.

        Raises:
            ValueError: such a tile does not fit.
        """
        room = np.subtract(arrays.shape("frame", frame), tile)
        if np.any(room < 0):
            raise ValueError(f"a tile of {tile} does not fit into a frame of {frame}")
        if self.drawn is None:
            return np.tile(room // 2, (len(self.flipped), 1))
        return np.floor(self.drawn * (room + 1)).astype(np.int64)


def placements(
    variant: Variant | str,
    *,
    seed: int,
    split: str,
    indices: ArrayLike,
) -> Placement:
    """Placement of the images with these indices (N,) in the data set's own numbering.

    Shifts are uniform; a flip has probability one half.

    Raises:
        ValueError: there is no such variant or split, or the indices are not whole, or negative.
    """
    variant = Variant(variant)
    indices = arrays.indices(indices)
    # One row of draws per image, taken from the head of one stream: a prefix never depends on its length.
    draws = np.random.default_rng([seed, split_code(split), PLACEMENT]).random((int(indices.max(initial=-1)) + 1, 3))
    u = draws[indices]
    return Placement(
        drawn=u[:, :2] if variant.shifts else None,
        flipped=u[:, 2] < 0.5 if variant.flips else np.zeros(len(u), dtype=bool),
    )


def place(tiles: ArrayLike, placement: Placement, frame: tuple[int, int] = FRAME) -> NDArray:
    """Tiles (N, h, w) in frames (N, *frame) of zeros, each turned by 180 degrees where its placement says so.

    The flip of a complex tile is conjugated: that is the symmetry of the measurement.

    Raises:
        ValueError: these are not N tiles, or they do not fit.
    """
    tiles = arrays.images("tiles", "(N, h, w)", tiles)
    n, h, w = tiles.shape
    if len(placement.flipped) != n:
        raise ValueError(f"{len(placement.flipped)} placements for {n} tiles")
    corner = placement.corners((h, w), frame)
    turned = np.conj(tiles[:, ::-1, ::-1])
    tiles = np.where(placement.flipped[:, None, None], turned, tiles)
    frames = np.zeros((n, *frame), dtype=tiles.dtype)
    rows = corner[:, 0, None, None] + np.arange(h)[:, None]
    columns = corner[:, 1, None, None] + np.arange(w)
    frames[np.arange(n)[:, None, None], rows, columns] = tiles
    return frames
