"""What computes a shard, as a digest.

That is the import closure of a solver and of what runs and scores it, with the data files of their packages; the
compiled kernels, and which kernels are asked for; and the files that the solver reads.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.executors.closure import TREE, closure, modules_of
from datasets.files import sha256_of
from solvers import Solver, SolverError, create
from solvers.compiled import VARIABLE, kernels
from solvers.files import sha256
from solvers.registry import blaming

RUNNER = ("bench.sweep.shard", "bench.executors.probes", "array_api_compat")  # what every shard goes through


def code_of(label: str) -> str:
    """SHA-256 of the code of a solver as this process finds it now; empty where the solver cannot be made here."""
    try:
        solver = create(label)
    except SolverError:
        return ""
    digests = [code_digest(type(part)) for part in (solver, *solver.parts())]
    return digests[0] if len(digests) == 1 else sha256("\0".join(digests).encode())


def code_digest(kind: type[Solver]) -> str:
    """SHA-256 of what computes: sources, data files and package versions behind a solver, and the kernels that serve.

    It is asked for after every shard: files are only read again when one of them was written since.
    """
    built = kernels()
    kernel = Path(built._name) if built is not None else None
    asked = os.environ.get(VARIABLE, "")
    known = _DIGESTS.get((kind, kernel, asked))
    if known is None or known.stamps != _stamps(known.stamps):
        known = _DIGESTS[kind, kernel, asked] = _read_code(kind, kernel, asked)
    return known.digest


@dataclass(frozen=True)
class _Known:
    """A digest of code, and when which of its files was written, as far as the file system tells."""

    digest: str
    stamps: dict[Path, tuple[int, int, int]]


_DIGESTS: dict[tuple[type[Solver], Path | None, str], _Known] = {}


def _read_code(kind: type[Solver], kernel: Path | None, asked: str) -> _Known:
    package = kind.__module__.partition(".")[0]
    roots = [kind.__module__] if package in TREE else modules_of(package)
    code = closure([*RUNNER, *roots], [package])
    stamps = _stamps(
        [*code.sources.values(), *code.data.values(), *([kernel] if kernel else [])]
    )  # before they are read
    compiled = sha256(kernel.read_bytes()) if kernel else "portable"
    return _Known(sha256("\0".join((code.digest(), compiled, asked)).encode()), stamps)


def _stamps(paths: Iterable[Path]) -> dict[Path, tuple[int, int, int]]:
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):  # one that is gone has no stamp
            state = path.stat()
            found[path] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return found


def file_digests(solver: Solver, variant: str) -> list[str]:
    """SHA-256 of every file that a parameter names, and of those that the solver takes by itself."""
    with blaming(f"solver '{solver.name}' cannot say which files it reads"):
        paths = dict.fromkeys([*solver.named_files(), *map(Path, solver.files(variant))])
    return [_file_digest(path) for path in paths]


def _file_digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return ""
