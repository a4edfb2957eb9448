"""What passes between an iterative solver and the loop around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.backend import Array

State = tuple[Array, ...]  # arrays whose first axis counts the images of the block

CHECK_EVERY = 20  # iterations between two looks at the residual, and between two updates of a shrink-wrap support


class Ends(NamedTuple):
    """Where starts have come to, each at its own end."""

    state: State
    iterations: NDArray[np.int64]  # (B,)
    estimate: Array  # (B, m1, m2) the image with the smallest residual of those looked at
    residual: Array  # (B,) of it; infinite where it never was finite


@dataclass(frozen=True)
class Snapshot:
    """What an observer sees of a running block. The time it takes to look is not counted."""

    images: NDArray[np.int64]  # (B,) position in the batch
    starts: NDArray[np.int64]  # (B,)
    iterations: NDArray[np.int64]  # (B,) of the present start
    residual: NDArray[np.float64]  # (B,)
    estimate: NDArray  # (B, m1, m2)
    seconds: float  # since solve() began, less the time of the observer
