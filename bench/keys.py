"""The name of a shard, which changes with what decides the shard's numbers.

That is the solver's canonical label, variant, seed, images and noise; the data; the weights and other files that the
solver names; array library, device and precision; the import closure of the solver and of what runs and scores it, with
the data files of their packages; the compiled kernels, and which kernels are asked for.
Threads, workers and executors are left out: they change no number, which the tests hold them to. The versions of Python
and of the machine's own libraries, and the processor, are left out although they can change the last digits.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.closure import TREE, closure, modules_of
from bench.shard import Shard
from solvers import Backend, Solver, SolverError, create
from solvers.compiled import VARIABLE, kernels
from solvers.files import read_regular, sha256
from solvers.labels import read_label
from solvers.registry import blaming

RUNNER = ("bench.shard", "bench.executors.probes", "array_api_compat")  # what every shard goes through


class Keys:
    """Keys of the shards of one sweep. Code and weights are read once: a sweep does not change while it runs."""

    def __init__(self, backend: Backend, data_digest: str) -> None:
        self._common = [backend.name, backend.device, backend.precision, data_digest]
        self._code: dict[str, str] = {}
        self._solvers: dict[tuple[str, str], list[str]] = {}

    def key(self, shard: Shard) -> str:
        """32 hexadecimal digits."""
        which = (shard.solver, shard.variant)
        if which not in self._solvers:
            solver = create(shard.solver)
            self._solvers[which] = [solver.label, *file_digests(solver, shard.variant)]
        parts = [self._common, asdict(replace(shard, solver="")), self._solvers[which], self.code(shard.solver)]
        return sha256(json.dumps(parts, sort_keys=True).encode())[:32]

    def code(self, label: str) -> str:
        """SHA-256 of the code that makes a shard of this solver."""
        name, _ = read_label(label)
        if name not in self._code:
            self._code[name] = code_of(label)
        return self._code[name]


def code_of(label: str) -> str:
    """SHA-256 of the code of a solver as this process finds it now; empty where the solver cannot be made here."""
    try:
        return code_digest(type(create(label)))
    except SolverError:
        return ""


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
        return sha256(read_regular(path))
    except OSError:
        return ""
