"""`bench report`: finished runs as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.errors import RequestError
from bench.report.finished import read_manifest
from bench.report.page.build import build
from bench.report.page.runs import read_runs
from solvers.files import write_text

SUFFIXES = (".html", ".htm")
SHOWN_SUFFIXES = " or ".join(f"*{suffix}" for suffix in SUFFIXES)


def report(folders: Sequence[Path], output: Path | None, title: str | None = None) -> int:
    """Write the page of these runs, which is there as a whole or not at all; returns its size in bytes.

    Raises:
        RequestError: a run is not there, not finished or damaged; the page has no name, or cannot be written.
    """
    for folder in folders:
        read_manifest(folder)  # what is missing altogether is said first, and before anything large is read
    if output is None:
        raise RequestError(f"--output is missing: it names the file for the page, {SHOWN_SUFFIXES}")
    if output.suffix.lower() not in SUFFIXES:
        raise RequestError(f"--output '{output}': a page is named {SHOWN_SUFFIXES}")
    if output.is_dir():
        raise RequestError(f"'{output}' cannot be written: it is a folder")
    page = build(read_runs(folders), title)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_text(output, page)
    except OSError as error:
        raise RequestError(f"'{output}' cannot be written: {error.strerror}") from error
    return len(page.encode())
