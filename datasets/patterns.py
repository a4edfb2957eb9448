"""Patterns of one's own, as they were measured.

What a path may name is what `datasets.own_images` says: a folder of files in the order of their names, a file, or an
array in one. Counts may have any real type; an array of two dimensions is a pattern, one of three a stack
(N, rows, columns). What was not measured is NaN, or zero in a mask: one (rows, columns) for all, or one for each.
Negative counts, as a dark subtraction leaves them, become zero, and their number is said. What is wrong with a file is
said with its name, and nothing is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from pydantic import Field, field_validator

from datasets.arrays import not_zero
from datasets.counts import usable
from datasets.errors import DatasetError
from datasets.image_set import digest_of
from datasets.own_images import files_of, read_array
from datasets.pattern_set import PatternSet, PatternSource
from datasets.problem import read_size, show_size


class Patterns(PatternSource):
    """A folder or a file of measured patterns."""

    name: ClassVar[str] = "patterns"
    summary: ClassVar[str] = "measured patterns, whose objects nobody knows: a folder or a file of counts"

    path: str = Field(description="the folder, the file, or file.npz:name, file.h5:/name of the array in it")
    object: str = Field(description="rows and columns of a box that holds the object: 100x80, or 64 for 64x64")
    centre: Literal["corner", "middle"] = Field("middle", description="where the zero frequency is: corner or middle")
    mask: str | None = Field(None, description="a file of the patterns' shape, zero where nothing was measured")

    @field_validator("path", "mask")
    @classmethod
    def _not_empty(cls, path: str | None) -> str | None:
        if path is not None and not path.strip():
            raise ValueError("name a folder or a file")
        return path

    @field_validator("object")
    @classmethod
    def _size(cls, value: str) -> str:
        return show_size(read_size(value))

    def read(self, split: str, folder: str | Path | None = None) -> PatternSet:
        self.refuse(folder)
        if split != "test":
            raise DatasetError(f"'{self.label}' has no {split} patterns: all of them are for testing")
        found = list(_patterns(self.path))
        first, grid = found[0][0], found[0][1].shape
        n1, n2 = read_size(self.object)
        if n1 > grid[0] or n2 > grid[1]:
            raise DatasetError(f"an object of {n1}x{n2} does not fit into {first} of {grid[0]}x{grid[1]}")
        measured = self._measured((len(found), *grid))
        intensities = np.empty((len(found), *grid))
        notes = []
        for row, there, (where, counts) in zip(intensities, measured, found, strict=True):
            if counts.shape != grid:
                raise DatasetError(f"{where} has the shape {counts.shape}, but {first} {grid}")
            try:
                row[:], note = usable(counts, there)
            except ValueError as error:
                raise DatasetError(f"{where}: {error}") from error
            if 2 * np.isnan(row).sum() > row.size:
                raise DatasetError(f"{where}: {np.isnan(row).mean():.0%} was not measured, half of it is needed")
            notes += [f"{where}: {note}"] if note else []
        if self.centre == "middle":
            intensities = scipy.fft.ifftshift(intensities, axes=(1, 2))
        return PatternSet(
            name=self.label,
            split=split,
            intensities=intensities,
            object_shape=(n1, n2),
            real=self.real,
            source=f"{self.path}{_said(notes)}",
            digest=digest_of(intensities),
        )

    def _measured(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """(N, rows, columns) where the mask says that something was measured."""
        if self.mask is None:
            return np.ones(shape, dtype=bool)
        given = read_array(self.mask)
        if given.shape not in (shape, shape[1:]):
            raise DatasetError(f"the mask {self.mask} has the shape {given.shape}, the patterns {shape}")
        try:
            return np.broadcast_to(not_zero(f"the mask {self.mask}", given), shape)
        except ValueError as error:
            raise DatasetError(str(error)) from error


def _said(notes: list[str]) -> str:
    """What was done to the counts, in so many words as fit into a line."""
    more = f", and so in {len(notes) - 1} more" * (len(notes) > 1)
    return f" ({notes[0]}{more})" if notes else ""


def _patterns(given: str) -> Iterator[tuple[str, NDArray]]:
    """The patterns (rows, columns) at a path in their order, at least one, each with what it is called in messages."""
    path = Path(os.path.expanduser(given))  # noqa: PTH111 - a user that there is not is left as it is
    for file in map(str, files_of(path)) if path.is_dir() else [given]:
        array = read_array(file)
        if array.ndim not in (2, 3) or min(array.shape, default=0) < 1 or min(array.shape[-2:]) < 2:
            raise DatasetError(
                f"{file} has shape {array.shape}: a pattern is (rows, columns), a stack of patterns (N, rows, columns)"
            )
        if array.ndim == 2:
            yield file, array
        else:
            for number, pattern in enumerate(array):
                yield f"{file} (pattern {number})", pattern
