"""The files of "Benchmark problems for phase retrieval" (Elser, Lan and Bendory, 2018).

Text: M rows of M / 2 whole numbers, the intensities of a real image (M, M) in the columns 0 … M / 2 − 1 of the Fourier
plane. Column M / 2 is zero, the rest follows from Y[−k] = Y[k], and the number at [0, 0], which is not known, is 0.
Source of the format: README.md and RRR.c of github.com/veitelser/phase-retrieval-benchmarks.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.errors import DatasetError
from datasets.files import read_regular
from datasets.forward import expand_half_plane

LARGEST = 2**26  # bytes
ATOM = 8  # pixels of an atom: the support has eight times as many pixels as the name of a file has atoms

_NUMBERS = re.compile(rb"[\d\s]+")
_NAME = re.compile(r"data(\d+)[EMH]")


def is_half_plane(path: Path) -> bool:
    """Whether a file is a text of nothing but whole numbers."""
    try:
        content = read_regular(path, LARGEST)
    except OSError:
        return False
    return bool(_NUMBERS.fullmatch(content)) and bool(content.strip())


def read_half_plane(path: Path) -> NDArray[np.float64]:
    """The intensities (M, M) with the zero frequency at [0, 0], which is NaN.

    Raises:
        DatasetError: the file cannot be read, or is no such file.
    """
    try:
        lines = read_regular(path, LARGEST).decode("ascii", "replace").split("\n")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    rows = [line.split() for line in lines if line.strip()]
    size = len(rows)
    if not size or size % 2 or any(len(row) != size // 2 for row in rows):
        raise DatasetError(f"{path} is no half plane: write M rows of M / 2 whole numbers, got {size} rows")
    try:
        half = np.array(rows, dtype=np.int64).astype(np.float64)
    except (ValueError, OverflowError) as error:
        raise DatasetError(f"{path} holds something else than whole numbers: {error}") from error
    plane = expand_half_plane(np.pad(half, ((0, 0), (0, 1))), size)
    plane[0, 0] = np.nan
    return plane


def pixels_of(path: Path) -> int | None:
    """The pixels of the support, from the name of a file of the benchmark: 800 for data100E."""
    match = _NAME.fullmatch(path.name)
    return ATOM * int(match[1]) if match else None
