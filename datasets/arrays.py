"""What this package takes from a caller: numbers of the right kind and shape. All else is refused in one line."""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray

REAL = "biuf"  # kinds of NumPy's dtypes
NUMBERS = REAL + "c"


def images(what: str, axes: str, values: ArrayLike, kinds: str = NUMBERS) -> NDArray:
    """An array of numbers with three axes, the first of which counts images, in the type that it has.

    Raises:
        ValueError: it is something else; the message says `what` should have which `axes`.
    """
    array = _array(what, values)
    if array.dtype.kind not in kinds:
        wanted = "numbers" if kinds == NUMBERS else "real numbers"
        raise ValueError(f"{what} must be {wanted}, got an array of {array.dtype}")
    if array.ndim != 3:
        raise ValueError(f"{what} must be {axes}, got shape {array.shape}")
    return array


def indices(values: ArrayLike) -> NDArray[np.int64]:
    """The numbers (N,) of images in their data set.

    Raises:
        ValueError: they are not whole, or negative.
    """
    array = _array("indices", values)
    if array.ndim != 1:
        raise ValueError(f"indices must be (batch,), got shape {array.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"indices must be whole numbers, got an array of {array.dtype}")
    if array.size and (array.min() < 0 or array.max() > np.iinfo(np.int64).max):
        raise ValueError(f"indices must be between 0 and 2**63 - 1, got {array.min()} to {array.max()}")
    return array.astype(np.int64, copy=False)


def shape(what: str, values: object) -> tuple[int, int]:
    """(rows, columns) of an image, as Python's own numbers.

    Raises:
        ValueError: they are not two whole positive numbers.
    """
    try:
        rows, columns = (operator.index(n) for n in values)  # type: ignore[attr-defined]  # that is the question
    except (TypeError, ValueError):
        rows = columns = 0
    if rows < 1 or columns < 1:
        raise ValueError(f"{what} must be two whole positive numbers, got {values}")
    return rows, columns


def _array(what: str, values: ArrayLike) -> NDArray:
    if isinstance(values, np.ma.MaskedArray):  # what is masked was not measured
        values = np.ma.filled(values.astype(np.result_type(values.dtype, np.float64)), np.nan)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{what} are no array: {error}") from error


def mask(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A mask of this shape.

    Raises:
        ValueError: it has another shape, or holds something else than true and false.
    """
    array = np.asarray(value)
    if array.dtype != bool or array.shape != tuple(shape):
        raise ValueError(f"{name} must be true or false in the shape {tuple(shape)}, got {array.dtype} {array.shape}")
    return array


def not_zero(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    """Where the numbers of a mask are not zero.

    Raises:
        ValueError: some are NaN, which is neither.
    """
    array = np.asarray(values)
    if array.dtype.kind in "fc" and np.isnan(array).any():
        raise ValueError(f"{name} has NaN in places: write zero or another number there")
    return array != 0
