"""The rows of a finished run: read and checked, and brought together where they are of the same measurement."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_integer_dtype, is_numeric_dtype, is_string_dtype

from bench.errors import RequestError
from solvers import SolverError, Status
from solvers.registry import canonical

FILE = "per_image.parquet"
IDENTITY = ["variant", "solver", "seed", "image", "measurement"]


def read_rows(folder: Path) -> pd.DataFrame:
    """The rows of the run in this folder.

    Raises:
        RequestError: there is none, or its file is damaged; one line that names it.
    """
    path = folder / FILE
    if not path.is_file():
        raise RequestError(f"'{folder}' holds no finished run: there is no {path}")
    try:
        table = pq.read_table(path)
        table.validate(full=True)  # or else a turned bit is found where a value is used, or never
        rows = table.to_pandas()
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise RequestError(f"'{path}' is damaged: {error}") from error
    check_rows(rows, path, [*IDENTITY, "status", "mse", "transforms"])
    return with_canonical_labels(rows)


def known_label(label: str) -> str:
    """The canonical spelling of a solver's label; as it is where this solver cannot be made here."""
    try:
        return canonical(label)
    except SolverError:
        return label


def with_canonical_labels(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with known labels. Where two spellings of a solver were run, their rows are the same: one is kept."""
    spellings = {label: known_label(label) for label in rows["solver"].unique()}
    return rows.assign(solver=rows["solver"].map(spellings)).drop_duplicates(IDENTITY, ignore_index=True)


def check_rows(rows: pd.DataFrame, path: Path, columns: list[str]) -> None:
    """Refuse a table that is not one of rows with these columns.

    Raises:
        RequestError: in one line that names the file and the fault.
    """
    missing = [column for column in columns if column not in rows.columns]
    if missing:
        raise RequestError(f"'{path}' is damaged: it has no column '{missing[0]}'")
    if rows.empty:
        raise RequestError(f"'{path}' has no rows")
    for column in {"variant", "solver", "measurement", "status"} & set(columns):
        if not is_string_dtype(rows[column]):
            raise RequestError(f"'{path}' is damaged: '{column}' holds something else than text")
    for column in ("seed", "image"):
        if not is_integer_dtype(rows[column]):
            raise RequestError(f"'{path}' is damaged: '{column}' holds something else than whole numbers")
    if not is_numeric_dtype(rows["mse"]) or not rows["mse"].between(0, 1).all():
        raise RequestError(f"'{path}' is damaged: 'mse' holds something else than numbers from 0 to 1")
    if not is_numeric_dtype(rows["transforms"]) or not (rows["transforms"] >= 0).all():
        raise RequestError(f"'{path}' is damaged: 'transforms' holds something else than counts")
    if rows[columns].isna().any(axis=None):
        raise RequestError(f"'{path}' is damaged: a value is missing")
    if rows.duplicated(IDENTITY).any():
        raise RequestError(f"'{path}' is damaged: a row is there twice")


def failed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of images that a solver left without a reconstruction: an error, a timeout, a killed process."""
    return rows[~rows["status"].isin([str(status) for status in Status])]


def on_common_measurements(
    a: pd.DataFrame, b: pd.DataFrame, columns: Iterable[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means of these columns for each image, over the measurements that are in both tables of rows.

    The seeds of an image are averaged here, so that an image counts once however many there were. Without noise a
    measurement does not depend on the seed: runs with different seeds then have all of them in common.
    """
    a, b = (rows.groupby(["image", "measurement"])[list(columns)].mean() for rows in (a, b))
    common = a.index.intersection(b.index)
    a, b = (means.loc[common].groupby("image").mean() for means in (a, b))
    return a, b
