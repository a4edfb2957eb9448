"""Names of the independent random streams, so that no two uses ever share one.

Every stream is `numpy.random.default_rng([seed, …, purpose])`: NumPy's SeedSequence keeps streams with
different keys independent, and the same key gives the same numbers on every machine.
"""

from __future__ import annotations

PLACEMENT = 1
NOISE = 2
START = 3
ATOMS = 4
PARTNER = 5
TRAINING_NOISE = 6
DEFORMATION = 7

_SPLITS = {"train": 0, "test": 1}


def split_code(split: str) -> int:
    """The number that stands for a split in a stream's key.

    Raises:
        ValueError: there is no such split.
    """
    if split not in _SPLITS:
        raise ValueError(f"unknown split '{split}': choose from {', '.join(_SPLITS)}")
    return _SPLITS[split]
