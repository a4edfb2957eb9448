"""What a kernel is compiled for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.backend import Array
from solvers.compiled import MAPS


@dataclass(frozen=True)
class Kind:
    """A map, and the images that it iterates.

    Attributes:
        name: of the map, one of MAPS.
        grid: (m1, m2) of the images.
        box: (n1, n2); an image is zero outside of [0, n1) × [0, n2).
        nonnegative: the images are nonnegative, and real.
        real: the images are real.
        masked: magnitudes may be UNMEASURED.
        supported: each image has a support of its own, within the box; else the box is the support.
    """

    name: str
    grid: tuple[int, int]
    box: tuple[int, int]
    nonnegative: bool = False
    real: bool = True
    masked: bool = False
    supported: bool = False

    def __post_init__(self) -> None:
        assert self.real or not self.nonnegative
        assert all(1 <= n <= m for n, m in zip(self.box, self.grid, strict=True))

    @property
    def plane(self) -> tuple[int, int]:
        """Rows and columns of a transform that are kept."""
        return self.grid[0], self.grid[1] // 2 + 1 if self.real else self.grid[1]

    @property
    def dtype(self) -> np.dtype:
        """Of the images."""
        return np.dtype(np.float32 if self.real else np.complex64)

    def check(self, x: Array, magnitude: Array, support: Array | None) -> None:
        """That these are images, magnitudes and supports of this kind.

        Raises:
            ValueError: one has another shape or dtype, or there is a support too many or too few.
        """
        expected = {"images": (x, self.grid, self.dtype), "magnitudes": (magnitude, self.plane, np.dtype(np.float32))}
        if self.supported != (support is not None):
            raise ValueError(f"the kernel takes {'a support of each image' if self.supported else 'no support'}")
        if support is not None:
            expected["supports"] = (support, self.grid, np.dtype(np.bool_))
        for name, (array, shape, dtype) in expected.items():
            if array.shape != (len(x), *shape) or array.dtype != dtype:
                raise ValueError(
                    f"the kernel takes {name} ({len(x)}, {shape[0]}, {shape[1]}) in {dtype}, "
                    f"not {tuple(array.shape)} in {array.dtype}"
                )

    def macros(self) -> dict[str, int]:
        """The definitions that maps.cuh asks for."""
        return {
            "M1": self.grid[0],
            "M2": self.grid[1],
            "N1": self.box[0],
            "N2": self.box[1],
            "MAP": MAPS.index(self.name),
            "NONNEGATIVE": int(self.nonnegative),
            "COMPLEX": int(not self.real),
            "MASKED": int(self.masked),
            "SUPPORT": int(self.supported),
        }
