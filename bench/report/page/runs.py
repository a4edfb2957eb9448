"""The runs of a page, as they were written: rows, summary, times, manifest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import RequestError, one_line
from bench.given import refuse_twice
from bench.report.figures.source import SUMMARY
from bench.report.finished import (
    checksums,
    known_label,
    read_manifest,
    read_rows,
    read_table,
    with_canonical_labels,
)
from bench.report.manifest import MANIFEST
from bench.report.pictures import PICTURES, read_pictures
from bench.report.tables import RESOLUTION, summarise
from bench.report.timing import TIMING
from bench.score.measures import MEASURES
from bench.sweep.rows import FILE, GROUP, check_rows
from datasets.problem import COLUMNS

COSTS = ["solve_ms_per_image_median", "solve_ms_per_image_low", "solve_ms_per_image_high", "threads", "workers"]
NEEDED = ["reason", "information", "residual", "iterations", "starts", *MEASURES]  # of the rows, besides what all have


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        name: what it is called on the page, where no other run is called so.
        rows: one for each problem, solver, seed and image.
        lines: the summary of the rows, one line for each problem and solver, with what they cost (`COSTS`, NaN where
            no time is known) and the name of the run.
        manifest: where it comes from.
        manifest_sha256: of its file.
    """

    name: str
    folder: Path
    rows: pd.DataFrame
    lines: pd.DataFrame
    manifest: dict[str, Any]
    manifest_sha256: str


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The finished runs in these folders.

    Raises:
        RequestError: one is not there, not finished, damaged, or given twice.
    """
    return [_read(folder, name) for folder, name in zip(folders, names(folders), strict=True)]


def names(folders: Sequence[Path]) -> list[str]:
    """For each folder its name, with as many of those above it as tell it from the others.

    Raises:
        RequestError: a folder is given twice.
    """
    refuse_twice(folders)
    parts = [folder.resolve().parts for folder in folders]
    found: list[str] = []
    for of in parts:
        length = 1
        while Counter(other[-length:] for other in parts)[of[-length:]] > 1:
            length += 1
        found.append(one_line("/".join(of[-length:])))
    return found


def _read(folder: Path, name: str) -> Run:
    rows = read_rows(folder)
    check_rows(rows, folder / FILE, [column for column in NEEDED if column not in ("residual", *MEASURES)])
    missing = next((column for column in NEEDED if column not in rows), None)
    if missing:
        raise RequestError(f"'{folder / FILE}' is of another version: it has no column '{missing}'")
    agreeing = rows["mse"].isna().any() and PICTURES in checksums(folder)
    pictures = read_pictures(folder) if agreeing else None
    lines = summarise(rows, pictures=pictures).merge(_costs(folder), on=GROUP, how="left").astype({"paper_mse": float})
    if agreeing:
        lines = lines.merge(_resolutions(folder), on=GROUP, how="left")
    manifest = folder / MANIFEST
    return Run(
        name,
        folder,
        rows,
        lines.assign(run=name),
        read_manifest(folder),
        hashlib.sha256(manifest.read_bytes()).hexdigest(),
    )


def _resolutions(folder: Path) -> pd.DataFrame:
    """What a run over measured patterns said of their resolution: it takes the patterns, which are not stored with it.

    Raises:
        RequestError: the summary is not the one of the manifest.
    """
    table = with_canonical_labels(read_table(folder, SUMMARY), GROUP)
    return table[[*GROUP, *table.columns.intersection([RESOLUTION])]]


def _costs(folder: Path) -> pd.DataFrame:
    """The times of a run by problem and solver; no lines where it has none.

    Raises:
        RequestError: the file is not the one of the manifest, or makes no sense.
    """
    path = folder / TIMING
    if TIMING not in checksums(folder):
        return pd.DataFrame({name: pd.Series(dtype=object) for name in GROUP} | dict.fromkeys(COSTS, np.nan))
    read = read_table(folder, TIMING)
    try:
        table = read[[*GROUP, *COSTS]]
        table = table.astype({"photons": float, **dict.fromkeys(COSTS, float)})
    except (ValueError, KeyError) as error:
        raise RequestError(f"'{path}' is damaged, or of another version: {one_line(error)}") from error
    texts = [name for name in COLUMNS if name != "photons"]
    table = table.astype(dict.fromkeys(texts, str)).assign(solver=table["solver"].map(str).map(known_label))
    return table.drop_duplicates(GROUP)
