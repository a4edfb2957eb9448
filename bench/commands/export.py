"""`bench export`: a table of a finished run as CSV, Markdown or LaTeX."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.errors import RequestError
from bench.report.export import FORMATS, TABLES, export
from bench.report.finished import read_rows, read_table
from solvers.files import write_text


def export_table(
    run: Path, *, table: str = "summary", form: str = "csv", columns: Sequence[str] = (), output: Path | None = None
) -> None:
    """Write a table of the run in this folder to a file, or to standard output.

    Raises:
        RequestError: there is no such run, table, format or column, or the file cannot be written.
    """
    for what, asked, choices in (("table", table, TABLES), ("format", form, FORMATS)):
        if asked not in choices:
            raise RequestError(f"--{what}: unknown {what} '{asked}': choose from {', '.join(choices)}")
    text = export(_read(run, table), table, form, columns)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_text(output, text)
    except OSError as error:
        raise RequestError(f"output '{output}' cannot be written: {error.strerror}") from error


def _read(run: Path, table: str) -> pd.DataFrame:
    found = read_rows(run) if table == "per_image" else read_table(run, f"{table}.csv")
    if found.empty:
        raise RequestError(f"'{table}' of '{run}' has no lines: its variants were not run")
    return found
