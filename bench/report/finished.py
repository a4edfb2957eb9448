"""The tables of a finished run, believed only as they were written: their checksums are in the manifest."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from bench.errors import NothingStoredError, RequestError
from bench.executors.plugins import PluginError, canonical
from bench.report.manifest import MANIFEST
from bench.store.tables import read_parquet
from bench.sweep.rows import FILE, IDENTITY, check_rows
from datasets.located import located
from solvers import SolverError, registry
from solvers.files import sha256
from solvers.labels import read_label


def read_rows(folder: Path) -> pd.DataFrame:
    """The rows of the run in this folder.

    Raises:
        RequestError: there is none, or a file is damaged, or the rows are not those of the manifest; one line that
            names the file.
    """
    rows = read_table(folder, FILE)
    check_rows(rows, folder / FILE, [*IDENTITY, "status", "mse", "transforms"])
    return with_canonical_labels(rows)


def read_table(folder: Path, file: str, without: str = "") -> pd.DataFrame:
    """A table of the run in this folder, from a Parquet or CSV file.

    Args:
        without: what a run has not that has no such file, in words, if that may be.

    Raises:
        RequestError: as `read_rows`.
        NothingStoredError: the run has no such file, in the words that are given.
    """
    path = folder / file
    if without and file not in checksums(folder):
        raise NothingStoredError(f"'{folder}' has {without}")
    if not path.is_file():
        if (folder / MANIFEST).is_file() and file in checksums(folder):
            raise RequestError(
                f"'{path}' is gone, but {MANIFEST} names it: the same run into the same folder writes it again"
            )
        raise RequestError(f"'{folder}' holds no finished run: there is no file {path}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"'{path}' cannot be read: {error.strerror}") from error
    if sha256(content) != checksum(folder, file):
        raise RequestError(
            f"'{path}' is damaged, was edited, or is from a run that was stopped: its checksum is not that of "
            f"{MANIFEST}; the same run into the same folder writes both again"
        )
    try:
        if path.suffix == ".csv":
            return pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=[""])
        return read_parquet(content)
    except (OSError, ValueError, TypeError, LookupError, pa.ArrowException) as error:
        raise RequestError(f"'{path}' is damaged: {error}") from error


def checksum(folder: Path, file: str) -> str:
    """SHA-256 of a file of a finished run, as the manifest has it, which is the last thing that a run writes.

    Raises:
        RequestError: there is no manifest, or it is damaged.
    """
    found = checksums(folder)
    if file not in found:
        raise RequestError(
            f"'{folder / MANIFEST}' is damaged, or of an older version: it has no checksum of {file}; "
            "the same run into the same folder writes both again"
        )
    return found[file]


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished run, which is the last thing that a run writes.

    Raises:
        RequestError: there is none, or it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise RequestError(f"'{folder}' holds no finished run: there is no file {path}")
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise RequestError(f"'{path}' cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"'{path}' is damaged: the same run into the same folder writes it again") from error
    return found if isinstance(found, dict) else {}


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a finished run that its manifest vouches for.

    Raises:
        RequestError: there is no manifest, or it is damaged.
    """
    files = read_manifest(folder).get("files")
    if not isinstance(files, dict):
        raise RequestError(
            f"'{folder / MANIFEST}' is damaged, or of an older version: it has no checksums; "
            "the same run into the same folder writes both again"
        )
    return {file: str(digest) for file, digest in files.items()}


def known_label(label: str) -> str:
    """The canonical spelling of a solver's label; as it is where this solver cannot be made here.

    A label that says where code lies is left as it is, too: a table of results is no reason to run what it names.
    """
    try:
        name, _ = read_label(label)
        if located(name):
            return label
        # `plugins.canonical` also tells which code a solver consists of, which takes a second and is not asked here.
        return registry.canonical(label) if name in registry.BUILT_IN else canonical(label)
    except (SolverError, PluginError):
        return label


def with_canonical_labels(rows: pd.DataFrame, identity: Sequence[str] = IDENTITY) -> pd.DataFrame:
    """The rows with known labels. Where two spellings of a solver were run, their rows are the same: one is kept."""
    spellings = {label: known_label(label) for label in rows["solver"].unique()}
    return rows.assign(solver=rows["solver"].map(spellings)).drop_duplicates(list(identity), ignore_index=True)
