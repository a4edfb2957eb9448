"""What a row of results is: one image, as one solver left it under one seed. Its columns, and what they may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype, is_numeric_dtype, is_string_dtype

from bench.errors import RequestError
from bench.sweep.solved import COUNTS
from datasets.problem import COLUMNS, Problem
from solvers import Status

FILE = "per_image.parquet"
REFERENCES_FILE = "references.parquet"  # rows that no solver made
GROUP = [*COLUMNS, "solver"]  # the rows that are summed up in one line
IMAGE = [*GROUP, "seed", "image"]  # what there is one row of
IDENTITY = [*IMAGE, "measurement"]
NUMBERS = [name for name, field in Problem.model_fields.items() if field.annotation in (int, float)]
TEXTS = [*(name for name in COLUMNS if name not in NUMBERS), "solver", "measurement", "status"]

FAILED = "failed"  # the status of an image whose solver raised an error, or whose process died
TIMEOUT = "timeout"  # the status of an image whose shard was ended for taking too long
UNSOLVED = (FAILED, TIMEOUT)
STATUSES = (*map(str, Status), *UNSOLVED)


def fault(rows: pd.DataFrame, columns: list[str]) -> str:
    """What keeps a table from being one of rows with these columns, in words; empty where nothing does."""
    missing = [column for column in columns if column not in rows.columns]
    if missing:
        return f"it has no column '{missing[0]}'"
    if rows[[column for column in columns if column != "mse"]].isna().any(axis=None):
        return "a value is missing"
    if "mse" in columns and not _known_throughout(rows):
        return "a value of 'mse' is missing"
    for column in TEXTS:
        if column in columns and not is_string_dtype(rows[column]):
            return f"'{column}' holds something other than text"
    for column in ("seed", "image"):
        if column in columns and not is_integer_dtype(rows[column]):
            return f"'{column}' holds something other than whole numbers"
    if "status" in columns and not rows["status"].isin(STATUSES).all():
        unknown = rows.loc[~rows["status"].isin(STATUSES), "status"].iloc[0]
        return f"the status '{unknown}' is none of {', '.join(STATUSES)}"
    if "mse" in columns and not (is_numeric_dtype(rows["mse"]) and rows["mse"].dropna().between(0, 1).all()):
        return "'mse' holds something other than numbers from 0 to 1"
    if "transforms" in columns and not _counts(rows["transforms"]):
        return "'transforms' holds something other than counts"
    if set(IDENTITY) <= set(columns) and rows.duplicated(IDENTITY).any():
        return "two rows are of the same problem, solver, seed and image"
    return ""


def knows_truth(rows: pd.DataFrame) -> bool:
    """Whether the images of these rows have an error: nobody knows the objects of measured patterns."""
    return bool(rows["mse"].notna().any())


def score_of(rows: pd.DataFrame) -> str:
    """The column by which rows of one problem are compared: their residual takes the place of an unknown error."""
    return "mse" if knows_truth(rows) else "residual"


def scored(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a residual where a solver left none: 1, that of an empty image, if nothing else tells them apart.

    A failure must not improve a mean.
    """
    return rows if knows_truth(rows) or "residual" not in rows else rows.fillna({"residual": 1.0})


def with_known_counts(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with NaN iterations, starts and transforms where there is no reconstruction: what was spent on it is
    not known, and is not nothing."""
    solved = ~rows["status"].isin(UNSOLVED)
    return rows.assign(**{name: rows[name].where(solved) for name in COUNTS if name in rows})


def check_rows(rows: pd.DataFrame, path: Path, columns: list[str]) -> None:
    """Refuse a table that is not one of rows with these columns.

    Raises:
        RequestError: in one line that names the file and the fault.
    """
    found = fault(rows, columns)
    if found:
        raise RequestError(f"'{path}' is damaged: {found}")
    if rows.empty:
        raise RequestError(f"'{path}' has no rows")


def failed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of images that a solver left without a reconstruction: an error, a timeout, a killed process."""
    return rows[rows["status"].isin(UNSOLVED)]


def _known_throughout(rows: pd.DataFrame) -> bool:
    """Whether every problem has an error in all rows, or in none."""
    missing = rows["mse"].isna()
    if not missing.any():
        return True
    problems = [column for column in COLUMNS if column in rows]
    alike = missing.groupby([rows[column] for column in problems]).nunique().eq(1).all() if problems else missing.all()
    return bool(alike)


def _counts(values: pd.Series) -> bool:
    return is_numeric_dtype(values) and bool(np.isfinite(values).all() and (values >= 0).all())
