"""Tables as files: Parquet with every digit, CSV with six of what was measured."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from datasets.problem import shortest
from solvers.files import replace_atomically, write_text


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV. Photons keep all their digits: they tell problems apart, and tables are joined by them."""
    if "photons" in table.columns:
        table = table.assign(photons=[shortest(number) for number in table["photons"].astype(float)])
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write `csv_text` of a table, whole or not at all."""
    write_text(path, csv_text(table))


def write_parquet(path: Path, rows: pd.DataFrame) -> None:
    """Write a table with every digit, whole or not at all."""
    replace_atomically(path, lambda stream: rows.to_parquet(stream, index=False))
