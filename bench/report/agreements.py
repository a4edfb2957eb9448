"""How far the seeds of a sweep over measured patterns agree, told from the pictures that were kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bench.report.settings import problem_of
from bench.score.agreement import agreement
from bench.sweep.pictures import unpacked
from bench.sweep.rows import GROUP, IDENTITY


def agreements(rows: pd.DataFrame, pictures: pd.DataFrame) -> dict[tuple[Any, ...], float]:
    """By problem and solver, the mean agreement between the seeds of an image, over the images with pictures.

    Groups of images whose truth is known, and those of a single seed, are left out.

    Args:
        pictures: as they are stored (`bench.sweep.pictures`).
    """
    unknown = rows[rows["mse"].isna()]
    if unknown.empty or pictures.empty:
        return {}
    table = pictures.merge(unknown[[*IDENTITY, "residual"]], on=IDENTITY)
    found: dict[tuple[Any, ...], float] = {}
    for group, of_group in table.groupby(GROUP, sort=False):
        n1, n2 = (problem := problem_of(of_group.iloc[0])).frame
        shares = []
        for _, seeds in of_group.groupby("image"):
            shown = [unpacked(line.pixels, int(line.exponent), problem.frame) for line in seeds.itertuples()]
            images = np.zeros((len(shown), *problem.grid), np.result_type(*shown))
            images[:, :n1, :n2] = shown
            shares.append(agreement(images, seeds["residual"].to_numpy()))
        if not np.isnan(shares).all():
            found[group] = float(np.nanmean(shares))
    return found
