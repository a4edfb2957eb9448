"""`bench report`: finished runs as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.errors import RequestError
from bench.report.page.build import build
from bench.report.page.runs import read_runs
from solvers.files import write_text

SUFFIXES = (".html", ".htm")


def report(folders: Sequence[Path], output: Path, title: str | None = None) -> int:
    """Write the page of these runs, which is there as a whole or not at all; returns its size in bytes.

    Raises:
        RequestError: a run is not there, not finished or damaged, or the page cannot be written.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise RequestError(f"--output '{output}': a page is named {' or '.join('*' + suffix for suffix in SUFFIXES)}")
    if output.is_dir():
        raise RequestError(f"'{output}' cannot be written: it is a folder")
    page = build(read_runs(folders), title)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_text(output, page)
    except OSError as error:
        raise RequestError(f"'{output}' cannot be written: {error.strerror}") from error
    return len(page.encode())
