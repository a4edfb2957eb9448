"""The image is the unit: what several seeds, or several noises, of one image gave is averaged before anything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd


def image_means(rows: pd.DataFrame, columns: Iterable[str], by: Sequence[str] = ("image",)) -> pd.DataFrame:
    """Means of these columns for each image: an image counts once however many rows it has.

    They are taken around the first row, so that the mean of equal numbers is that number to the last bit: what has not
    changed differs by exactly nothing, whether it was measured once or seven times.
    """
    columns, groups = list(columns), rows.groupby(list(by))
    first, image = groups[columns].first(), groups.ngroup().to_numpy()
    deviations = rows[columns] - first.to_numpy()[image]
    return first + deviations.groupby(image).mean().to_numpy()


def on_common_measurements(
    a: pd.DataFrame, b: pd.DataFrame, columns: Iterable[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means of these columns for each image, over the measurements that are in both tables of rows.

    Without noise a measurement does not depend on the seed: runs with different seeds then have all of them in common.
    """
    columns = list(columns)
    a, b = (image_means(rows, columns, ["image", "measurement"]) for rows in (a, b))
    common = a.index.intersection(b.index)
    a, b = (image_means(means.loc[common].reset_index(), columns) for means in (a, b))
    return a, b
