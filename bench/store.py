"""The folder of a run: shards as they are finished, so that a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import RequestError
from bench.shard import Outcome, Shard, Timing
from bench.sweep import Sweep
from solvers.compiled import library
from solvers.files import replace_atomically, write_text
from solvers.registry import solver_class

_TIMING = b"phasebench.timing"
_UNIMPORTANT = {"threads", "solvers", "variants", "images", "shard"}  # may differ between runs that share a folder


class Store:
    """Reads and writes the shards under one output folder."""

    def __init__(self, folder: Path, sweep: Sweep, data_digest: str) -> None:
        self.folder, self.shards = folder, folder / "shards"
        self._salt = json.dumps([_identity(sweep), data_digest, source_digest(), library() is not None], sort_keys=True)

    def open(self, sweep: Sweep) -> None:
        """Make the folder ready for this sweep, or refuse it before anything in it is touched.

        Raises:
            RequestError: it cannot be written, holds something else than a run, or a run of another kind.
        """
        claim = self.folder / "sweep.json"
        try:
            if self.folder.exists() and not self.folder.is_dir():
                raise RequestError(f"output '{self.folder}' is not a folder")
            if self.folder.is_dir() and any(self.folder.iterdir()) and not claim.is_file():
                raise RequestError(f"output '{self.folder}' is not empty and holds no run: choose another folder")
            if claim.is_file() and json.loads(claim.read_text()) != _identity(sweep):
                raise RequestError(
                    f"output '{self.folder}' holds a run with another seed, data set or device: choose another folder"
                )
            self.shards.mkdir(parents=True, exist_ok=True)
            write_text(claim, json.dumps(_identity(sweep), indent=2) + "\n")
        except OSError as error:
            raise RequestError(f"output '{self.folder}' cannot be written: {error.strerror}") from error
        except ValueError as error:
            if isinstance(error, RequestError):
                raise
            raise RequestError(f"'{claim}' is damaged: {error}") from error

    def path(self, shard: Shard) -> Path:
        """Where a shard belongs: its name covers everything that can change its numbers."""
        code = plugin_digest(shard.solver)
        key = hashlib.sha256((self._salt + code + json.dumps(asdict(shard), sort_keys=True)).encode()).hexdigest()
        return self.shards / f"{key[:32]}.parquet"

    def save(self, outcome: Outcome) -> None:
        table = pa.Table.from_pandas(outcome.rows, preserve_index=False)
        timing = json.dumps(asdict(outcome.timing)).encode()
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _TIMING: timing})
        replace_atomically(self.path(outcome.shard), lambda stream: pq.write_table(table, stream))

    def load(self, shard: Shard) -> Outcome | None:
        """A finished shard; None where there is none, or where its file is damaged and must be made again."""
        path = self.path(shard)
        if not path.is_file():
            return None
        try:
            table = pq.read_table(path)
            timing = Timing(**json.loads(table.schema.metadata[_TIMING]))
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
            return None
        return Outcome(shard, table.to_pandas(), timing)


def write_parquet(path: Path, rows: pd.DataFrame) -> None:
    replace_atomically(path, lambda stream: rows.to_parquet(stream, index=False))


def write_csv(path: Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(index=False, float_format="%.6g"))


@cache
def source_digest() -> str:
    """SHA-256 of the code and the weights that make a shard: nothing they change may be served from an old run."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in ("bench", "solvers", "datasets"):
        for path in sorted(p for p in (root / package).rglob("*") if p.suffix in (".py", ".cpp", ".safetensors")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def plugin_digest(label: str) -> str:
    """SHA-256 of the code of the module or package that brings a solver; empty for one of this source tree."""
    kind = solver_class(label.partition("[")[0].strip())
    package = kind.__module__.partition(".")[0]
    if package == "solvers":
        return ""
    found = getattr(sys.modules[package], "__file__", None) or inspect.getfile(kind)
    path = Path(found)
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _identity(sweep: Sweep) -> dict[str, Any]:
    return {key: value for key, value in sweep.model_dump(mode="json").items() if key not in _UNIMPORTANT}
