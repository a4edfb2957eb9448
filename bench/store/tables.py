"""Tables as files: Parquet with every digit, CSV with six of what was measured."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

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


def read_parquet(content: bytes) -> pd.DataFrame:
    """A table from the bytes of a Parquet file, all of which are looked at.

    It is read by this thread alone. `read_table` leaves the bytes to a thread of Arrow's, which may let go of them when
    the interpreter is already ending, and then aborts the process (github.com/apache/arrow/issues/34314).

    Raises:
        OSError, ValueError, TypeError, LookupError, pyarrow.ArrowException: it is no such file, or damaged.
    """
    table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    table.validate(full=True)
    return table.to_pandas(use_threads=False)


def write_parquet(path: Path, rows: pd.DataFrame) -> None:
    """Write a table with every digit, whole or not at all."""
    replace_atomically(path, lambda stream: rows.to_parquet(stream, index=False))
