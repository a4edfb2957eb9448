"""How far the seeds of a sweep over measured patterns agree, told from the pictures that were kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.report.settings import problem_of
from bench.score.agreement import agreeing, agreement
from bench.score.transfer import FEWEST, half_period, transfer
from bench.sweep.pictures import unpacked
from bench.sweep.rows import GROUP, IDENTITY
from datasets import PatternSet

Group = tuple[Any, ...]


def agreements(rows: pd.DataFrame, pictures: pd.DataFrame) -> dict[Group, float]:
    """By problem and solver, the mean agreement between the seeds of an image, over the images with pictures.

    Groups of images whose truth is known, and those of a single seed, are left out.

    Args:
        pictures: as they are stored (`bench.sweep.pictures`).
    """
    return _means((group, agreement(images, residual)) for group, _, images, residual in _seeds(rows, pictures))


def resolutions(rows: pd.DataFrame, pictures: pd.DataFrame, patterns: PatternSet) -> dict[Group, float]:
    """By problem and solver, the half-period resolution in pixels of the seeds that agree, where their PRTF is 1/e.

    It is the mean over the images with pictures of which at least FEWEST seeds agree. Groups without such an image are
    left out.

    Args:
        pictures: as they are stored (`bench.sweep.pictures`).
        patterns: what was measured.
    """

    def one(number: int, images: NDArray, residual: NDArray[np.float64]) -> float:
        if len(images) < FEWEST:
            return np.nan
        together = agreeing(images, residual)
        return half_period(*transfer(together, patterns.intensities[number])) if len(together) >= FEWEST else np.nan

    return _means((group, one(number, images, residual)) for group, number, images, residual in _seeds(rows, pictures))


def _seeds(rows: pd.DataFrame, pictures: pd.DataFrame) -> Iterator[tuple[Group, int, NDArray, NDArray[np.float64]]]:
    """Of each problem and solver, and of each image whose truth nobody knows, the number of the image, what its seeds
    gave on the grid (S, m1, m2), and their residuals (S,)."""
    unknown = rows[rows["mse"].isna()]
    if unknown.empty or pictures.empty:
        return
    table = pictures.merge(unknown[[*IDENTITY, "residual"]], on=IDENTITY)
    for (*group, image), seeds in table.groupby([*GROUP, "image"], sort=False):
        n1, n2 = (problem := problem_of(seeds.iloc[0])).frame
        shown = [unpacked(line.pixels, int(line.exponent), problem.frame) for line in seeds.itertuples()]
        images = np.zeros((len(shown), *problem.grid), np.result_type(*shown))
        images[:, :n1, :n2] = shown
        yield tuple(group), int(image), images, seeds["residual"].to_numpy()


def _means(values: Iterator[tuple[Group, float]]) -> dict[Group, float]:
    """The mean of each group, without those that are NaN."""
    found: dict[Group, list[float]] = {}
    for group, value in values:
        if not np.isnan(value):
            found.setdefault(group, []).append(value)
    return {group: float(np.mean(known)) for group, known in found.items()}
