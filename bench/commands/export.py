"""`bench export`: a table of a finished run as CSV, Markdown or LaTeX."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.errors import RequestError, say
from bench.report.budgets import budgets, read_times, shown
from bench.report.export import FORMATS, TABLES, export
from bench.report.finished import read_rows, read_table, with_canonical_labels
from bench.sweep.rows import GROUP
from solvers.files import write_text


def export_table(
    run: Path,
    *,
    table: str = "",
    form: str = "csv",
    columns: Sequence[str] | None = None,
    within: Sequence[str] | None = None,
    output: Path | None = None,
) -> None:
    """Write a table of the run in this folder to a file, or to standard output.

    Args:
        table: of TABLES; `summary` if empty.
        within: times for an image, such as 10ms: the table is then that of `bench.report.budgets`.

    Raises:
        RequestError: there is no such run, table, format, column or time, no solver is as fast as that, or the file
            cannot be written.
        NothingStoredError: solvers are to be compared `within` a time, but none has an error.
    """
    if columns is not None and not columns:
        raise RequestError("--columns: name at least one")
    if within is not None and table:
        raise RequestError(f"--within makes a table of its own: leave --table {table} out")
    table = table or "summary"
    for what, asked, choices in (("table", table, TABLES), ("format", form, FORMATS)):
        if asked not in choices:
            raise RequestError(f"--{what}: unknown {what} '{asked}': choose from {', '.join(choices)}")
    if within is None:
        text = export(_read(run, table), table, form, columns or ())
    else:
        times = read_times(within)
        summary, timing = (with_canonical_labels(_read(run, name), GROUP) for name in ("summary", "timing"))
        best = budgets(summary, timing, _read(run, "per_image"), times)
        if empty := int(best["solver"].isna().sum()):
            say(f"{empty} of {len(best)} lines name no solver: none of their information is that fast")
        text = export(best, "--within", form, columns or ([] if form == "csv" else shown(best)))
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
