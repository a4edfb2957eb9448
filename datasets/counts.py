"""Counts as somebody has measured them, made into intensities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def usable(counts: NDArray, measured: NDArray[np.bool_]) -> tuple[NDArray[np.float64], str]:
    """Counts (…, rows, columns) without negative ones, and NaN where nothing was measured; and what was done, in words.

    Args:
        measured: True where something was measured; NaN never was.

    Raises:
        ValueError: there is nothing to be used: no count was measured, none is above zero, or some are infinite.
    """
    y = counts.astype(np.float64)
    measured = measured & ~np.isnan(y)
    if not measured.any():
        raise ValueError("nothing of the pattern was measured: all of it is masked")
    if np.isinf(y[measured]).any():
        raise ValueError(f"{int(np.isinf(y[measured]).sum())} counts are infinite")
    negative = measured & (y < 0)
    note = ""
    if negative.any():
        note = f"{int(negative.sum())} negative counts set to zero (the lowest was {y[negative].min():g})"
    y = np.where(measured, np.maximum(y, 0), np.nan)
    if not (y[measured] > 0).any():
        raise ValueError("the pattern is dark: no count is above zero")
    return y, note
