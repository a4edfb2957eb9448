"""A set of measured patterns: intensities of objects that nobody knows."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from datasets.measurement import Measurement
from datasets.problem import GIVEN, Problem
from datasets.source import Source


@dataclass(frozen=True)
class PatternSet:
    """Measured patterns of one size. What an `ImageSet` is to simulated measurements, this is to measured ones.

    Attributes:
        name: the canonical label of what was read.
        split: "test": nothing can be learned from patterns without objects.
        intensities: float64 (N, m1, m2), zero frequency at [:, 0, 0], NaN where nothing was measured.
        object_shape: (n1, n2) of a box that holds each object.
        real: the objects are real; a solver that is asked to may then take them for nonnegative, too.
        source: where it was read, and what was done to the numbers, in words.
        digest: SHA-256 of all intensities, in hexadecimal.
    """

    name: str
    split: str
    intensities: NDArray[np.float64]
    object_shape: tuple[int, int]
    real: bool
    source: str
    digest: str

    def __len__(self) -> int:
        return len(self.intensities)

    @property
    def grid(self) -> tuple[int, int]:
        """(m1, m2) of every pattern."""
        _, m1, m2 = self.intensities.shape
        return m1, m2

    @property
    def problem(self) -> Problem:
        """What is to be recovered from what. Nothing was placed, and no noise was added to what was measured."""
        return Problem(
            dataset=self.name,
            split=self.split,
            object="real" if self.real else "complex",
            variant="none",
            frame=self.object_shape,
            grid=self.grid,
            mask=GIVEN if np.isnan(self.intensities).any() else "none",
        )

    def head(self, count: int | None) -> PatternSet:
        """The first so many patterns, all of them where there are fewer."""
        return replace(self, intensities=self.intensities[:count])

    def measurement(self, indices: NDArray[np.int64]) -> Measurement:
        """The patterns with these numbers: what a solver is given."""
        with warnings.catch_warnings():  # that the box is large is said once, by the caller
            warnings.simplefilter("ignore", UserWarning)
            return Measurement(
                intensities=self.intensities[indices],
                object_shape=self.object_shape,
                indices=indices,
                real=self.real,
                nonnegative=np.full(len(indices), self.real),
            )


class PatternSource(Source):
    """Where measured patterns come from."""

    real: bool = Field(False, description="the objects are real, and nonnegative for a solver that is asked to use it")

    @abstractmethod
    def read(self, split: str, folder: str | Path | None = None) -> PatternSet:
        """The patterns of a split.

        Raises:
            DatasetError: there is no such split, something is missing, or is not what it should be.
        """
