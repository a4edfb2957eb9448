"""The folder of a run: shards as they are finished, so that a killed run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.errors import RequestError
from bench.request import Sweep
from bench.score.references import label_of
from bench.store.keys import Keys
from bench.store.lock import NAME as LOCK_NAME
from bench.store.lock import Lock
from bench.store.shard_file import DamagedError, decode, encode
from bench.sweep.shard import Outcome, Shard
from datasets.problem import Problem
from solvers import Backend
from solvers.files import read_regular, sha256, write_atomically, write_text, written_for

CLAIM = "sweep.json"
SUFFIX = ".shard"
LARGEST_CLAIM, LARGEST_SHARD = 2**24, 2**31  # bytes

DATA = "data_sha256"  # of the images, in a claim and in a manifest
CHECKSUM = "sha256"  # of the rest of a claim

# What all runs in one folder have in common; the rest of a request may grow or shrink.
IDENTITY = ("dataset", "split", "backend", "device", "precision")

_WRITTEN = (SUFFIX, ".json", ".csv", ".parquet", ".png", ".svg", ".pdf", ".html")


class Store:
    """Reads and writes the shards under one output folder, which it has for itself while it is entered."""

    def __init__(
        self, folder: Path, sweep: Sweep, problems: Sequence[Problem], backend: Backend, data_digest: str
    ) -> None:
        self.folder, self.shards = folder, folder / "shards"
        self.sweep, self.problems, self.backend, self.data_digest = sweep, problems, backend, data_digest
        isolated = sweep.executor != "inline"
        references = [label_of(name) for name in sweep.references or ()]
        self.keys = Keys(backend, data_digest, sweep.solvers, problems, references, isolated=isolated)
        self._lock = Lock(folder)

    def __enter__(self) -> Store:
        """Make the folder ready for this sweep, or refuse it before anything in it is touched.

        Raises:
            RequestError: it cannot be written, holds something else than a run, a run of another kind, or is in use.
        """
        try:
            self._check()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            try:
                self._check()  # another process may have claimed it in between
                self._lock.sign()
                self._sweep_up()
                self.shards.mkdir(exist_ok=True)
                self._write_claim()
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise RequestError(f"output '{self.folder}' cannot be written: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise a RequestError where the folder was deleted meanwhile: what was written after that is not a run."""
        whole = self._is_whole()
        if not whole and self._lock.holds():
            self._write_claim()  # so that the same command finds its own folder
        self._lock.release()
        if not whole and (error is None or isinstance(error, Exception)):
            raise self._deleted() from error

    def path(self, shard: Shard) -> Path:
        """Where a shard belongs."""
        return self.shards / f"{self.keys.key(shard)}{SUFFIX}"

    def save(self, outcome: Outcome) -> Outcome:
        """Write a shard, whether it failed or not; returns it as it will be read again.

        Raises:
            RequestError: it was not made by the code that its key names, or cannot be written.
        """
        solver = outcome.shard.solver
        if outcome.code not in ("", self.keys.code(solver)):
            raise RequestError(
                f"'{solver}' was run with other code or packages than this sweep began with: they have changed since, "
                "or a worker has another installation; the same command goes on with the shards that fit"
            )
        if not self._is_whole():
            raise self._deleted()
        content = encode(outcome)
        try:
            write_atomically(self.path(outcome.shard), content)
        except OSError as error:
            raise RequestError(f"output '{self.folder}' cannot be written: {error.strerror}") from error
        return decode(content)

    def load(self, shard: Shard) -> Outcome | None:
        """A shard that was run before, with success or without; None where there is none.

        Raises:
            DamagedError: its file is not as it was written.
        """
        path = self.path(shard)
        try:
            return decode(read_regular(path, LARGEST_SHARD), shard)
        except FileNotFoundError:
            return None
        except (DamagedError, OSError) as error:
            raise DamagedError(f"shard {shard} is damaged ({path.name}: {error})") from error

    def contents(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """For a manifest: what decides the keys of the solvers, and the keys of the shards that tables are made of."""
        return {
            DATA: self.data_digest,
            "solvers": {label: asdict(recipe) for label, recipe in self.keys.recipes().items()},
            "shards": [self.keys.key(outcome.shard) for outcome in outcomes],
        }

    def _check(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise RequestError(f"output '{self.folder}' is not a folder")
        claim = self.folder / CLAIM
        if not claim.is_file():
            if self.folder.is_dir() and any(not _is_ours(path) for path in self.folder.iterdir()):
                raise RequestError(f"output '{self.folder}' is not empty and holds no run: choose another folder")
            return
        found, asked = read_claim(self.folder), self._claim()
        for name in IDENTITY:
            if found[name] != asked[name]:
                raise RequestError(
                    f"output '{self.folder}' holds a run with another {name.replace('_', ' ')} ({found[name]}, not "
                    f"{asked[name]}): choose another folder"
                )

    def _claim(self) -> dict[str, Any]:
        return {
            **self.sweep.model_dump(mode="json"),
            "problems": [problem.model_dump(mode="json") for problem in self.problems],
            "array_library": self.backend.name,
            DATA: self.data_digest,
        }

    def _is_whole(self) -> bool:
        return self._lock.holds() and (self.folder / CLAIM).is_file()

    def _deleted(self) -> RequestError:
        return RequestError(
            f"output '{self.folder}' was deleted or replaced during the run: the same command starts again"
        )

    def _write_claim(self) -> None:
        write_claim(self.folder, self._claim())

    def _sweep_up(self) -> None:
        """Remove the temporary files that a killed run has left behind."""
        for folder in (self.folder, self.shards, self.folder / "figures"):
            if folder.is_dir():
                for path in folder.iterdir():
                    if written_for(path.name).endswith(_WRITTEN):
                        path.unlink(missing_ok=True)


def read_claim(folder: Path) -> dict[str, Any]:
    """What `sweep.json` says of the run in a folder: its request, the array library, and the hash of its data.

    Raises:
        RequestError: there is none, or it is damaged.
    """
    path = folder / CLAIM
    try:
        claim = json.loads(read_regular(path, LARGEST_CLAIM))
        if not isinstance(claim, dict):
            raise ValueError("it does not describe a run")
        checksum = claim.pop(CHECKSUM, None)
        if checksum is None:
            raise ValueError("it has no checksum, or is of another version")
        if checksum != _checksum(claim):
            raise ValueError("its checksum is wrong")
    except FileNotFoundError as error:
        raise RequestError(f"'{folder}' holds no run: there is no {path}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RequestError(f"'{path}' is damaged: {error}") from error
    return claim


def write_claim(folder: Path, claim: dict[str, Any]) -> None:
    """Write `sweep.json`, with its checksum."""
    write_text(folder / CLAIM, json.dumps({**claim, CHECKSUM: _checksum(claim)}, indent=2) + "\n")


def _checksum(claim: dict[str, Any]) -> str:
    return sha256(json.dumps(claim, sort_keys=True).encode())


def _is_ours(path: Path) -> bool:
    """Whether this may lie in a folder without a claim: what a run leaves that was killed at once, or whose folder was
    deleted while it was at work."""
    if path.name == "shards" and path.is_dir():
        return all(shard.suffix == SUFFIX or _is_ours(shard) for shard in path.iterdir())
    return path.name == LOCK_NAME or written_for(path.name).endswith(_WRITTEN)
