"""Finished runs that nothing was computed for: rows with given errors, a table of times, a manifest that vouches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from doubles import result_rows

from bench.report.manifest import MANIFEST
from bench.report.tables import summarise
from bench.report.timing import TIMING
from bench.store.tables import write_csv, write_parquet
from bench.sweep.rows import FILE, GROUP
from solvers.files import sha256

SUMMARY = "summary.csv"
BOX, NONNEGATIVE, TRAINED = "support: box, real", "support: box, real, nonnegative", "real, trained on fashion_mnist"


def solved(solver: str, errors: Any, information: str = BOX, **how: Any) -> pd.DataFrame:
    """Rows of a solver with these errors (images,): all that a run writes, on one problem. Any other column may be
    given as a keyword."""
    own = {name: how.pop(name) for name in ("variant", "seed", "noise", "status") if name in how}
    rows = result_rows(solver, np.asarray(errors, dtype=float), **own)
    given = {"information": information, "pixel_mse": rows["mse"] / 10, "residual": 1e-3, "iterations": 50, "starts": 1}
    return rows.assign(**given, weights="", **how)


def finished(folder: Path, *parts: pd.DataFrame, ms: dict[str, float] | None = None, **manifest: Any) -> Path:
    """The folder of a run with these rows.

    Args:
        ms: milliseconds per image of each solver; without it there is no table of times.
        manifest: what it says besides checksums.
    """
    folder.mkdir(parents=True)
    rows = pd.concat(parts, ignore_index=True)
    write_parquet(folder / FILE, rows)
    write_csv(folder / SUMMARY, summarise(rows))
    (folder / MANIFEST).write_text(json.dumps(manifest))
    vouch(folder, FILE, SUMMARY)
    if ms is not None:
        times = rows.drop_duplicates(GROUP)[GROUP].assign(threads=2, workers=1)
        for bound, factor in (("median", 1.0), ("low", 0.9), ("high", 1.2)):
            times[f"solve_ms_per_image_{bound}"] = times["solver"].map(ms) * factor
        write_csv(folder / TIMING, times)
        vouch(folder, TIMING)
    return folder


def vouch(folder: Path, *names: str) -> None:
    """Enter these files into the manifest, as they are."""
    manifest = json.loads((folder / MANIFEST).read_text())
    digests = {name: sha256((folder / name).read_bytes()) for name in names}
    manifest["files"] = manifest.get("files", {}) | digests
    (folder / MANIFEST).write_text(json.dumps(manifest))
