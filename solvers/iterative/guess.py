"""Where an iterative solver begins."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


def random_guess(generator: np.random.Generator, shape: tuple[int, int], real: bool) -> NDArray:
    """Uniform noise (n1, n2) under a window, strongest in the middle of the box.

    The measurement leaves the object's position free, and an iterate settles where it began. Noise up to the
    border lets it settle across the border, where the support cuts it off, and where it stays for hundreds of
    iterations: on 2 000 training images RRR then leaves 3.4% of them unsolved, and 1.8% with this window.
    """
    noise = generator.random(shape) * _window(shape)
    return noise if real else noise * np.exp(2j * np.pi * generator.random(shape))


@cache
def _window(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Half a sine along each side."""
    return np.multiply.outer(*(np.sin(np.pi * (np.arange(n) + 0.5) / n) for n in shape))
