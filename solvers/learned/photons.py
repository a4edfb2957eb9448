"""How many photons the patterns of a training have: none drawn, one number, or a range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.problem import read_photons, shortest


@dataclass(frozen=True)
class PhotonRange:
    """From the fewest to the most photons expected in all of a pattern; infinite where patterns have no noise."""

    fewest: float = math.inf
    most: float = math.inf

    @classmethod
    def read(cls, value: Any) -> PhotonRange:
        """Of `none`, a number, or two of them as `1e3:1e9`.

        Raises:
            ValueError: it is none of these.
        """
        if isinstance(value, PhotonRange):
            return value
        ends = [read_photons(part) for part in (value.split(":") if isinstance(value, str) else [value])]
        if len(ends) > 2 or (len(ends) == 2 and not ends[0] < ends[1] < math.inf):
            raise ValueError(f"'{value}' is no range of photons: write none, 1e5, or 1e3:1e9")
        return cls(ends[0], ends[-1])

    @property
    def noisy(self) -> bool:
        return math.isfinite(self.most)

    def at(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """The photons (…) that lie at these shares (…) of the way, from 0 to 1, even in the logarithm."""
        if not self.noisy:
            return np.full(np.shape(share), math.inf)
        return self.fewest * (self.most / self.fewest) ** share

    def spread(self, count: int) -> NDArray[np.float64]:
        """(count,) photons, from the fewest to the most in equal ratios."""
        return self.at(np.linspace(0, 1, count))

    def __str__(self) -> str:
        if not self.noisy:
            return "none"
        return ":".join(dict.fromkeys(map(shortest, (self.fewest, self.most))))
