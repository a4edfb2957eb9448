"""What computes a shard, as a digest.

That is the import closure of a solver and of what runs and scores it, with the data files of their packages; the
compiled kernels, and which kernels are asked for; and the files that the solver reads. Of an image set that is no part
of this package it is the import closure of the set.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bench.executors.closure import TREE, Code, closure, modules_of
from datasets import ImageSet, PatternSet
from datasets.files import sha256_of
from datasets.images import create as create_source
from datasets.problem import Problem
from solvers import Solver, SolverError, create
from solvers.compiled import VARIABLE, kernels, libraries
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


def data_digest(label: str, images: ImageSet | PatternSet) -> str:
    """SHA-256 of what decides the pixels of an image set: what it says itself, and the code of a plug-in."""
    kind = type(create_source(label))
    if kind.__module__.partition(".")[0] in TREE:
        return images.digest
    return sha256("\0".join((images.digest, _closure(kind).digest())).encode())


def code_digest(kind: type[Solver]) -> str:
    """SHA-256 of what computes: sources, data files and package versions behind a solver, and the kernels that serve.

    It is asked for after every shard: files are only read again when one of them was written since.
    """
    built, asked = _built(), os.environ.get(VARIABLE, "")
    known = _DIGESTS.get((kind, built, asked))
    if known is None or known.stamps != _stamps(known.stamps):
        known = _DIGESTS[kind, built, asked] = _read_code(kind, built, asked)
    return known.digest


@dataclass(frozen=True)
class _Known:
    """A digest of code, and when which of its files was written, as far as the file system tells."""

    digest: str
    stamps: dict[Path, tuple[int, int, int]]


_DIGESTS: dict[tuple[type[Solver], tuple[Path, ...], str], _Known] = {}


def reference_code() -> str:
    """SHA-256 of the code that computes references, and the kernels that serve it."""
    code = closure(["bench.sweep.reference", "array_api_compat"])
    return _digest(code, _built(), os.environ.get(VARIABLE, ""))


def _built() -> tuple[Path, ...]:
    """The files of the kernels, if any of them serves: all, whichever fits this processor."""
    return libraries() if kernels() is not None else ()


def _read_code(kind: type[Solver], built: tuple[Path, ...], asked: str) -> _Known:
    code = _closure(kind, RUNNER)
    stamps = _stamps([*code.sources.values(), *code.data.values(), *built])  # before they are read
    return _Known(_digest(code, built, asked), stamps)


def _digest(code: Code, built: tuple[Path, ...], asked: str) -> str:
    compiled = [sha256(file.read_bytes()) for file in built] or ["portable"]
    return sha256("\0".join((code.digest(), *compiled, asked)).encode())


def _closure(kind: type, beside: Sequence[str] = ()) -> Code:
    package = kind.__module__.partition(".")[0]
    roots = [kind.__module__] if package in TREE else modules_of(package)
    return closure([*beside, *roots], [package])


def _stamps(paths: Iterable[Path]) -> dict[Path, tuple[int, int, int]]:
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):  # one that is gone has no stamp
            state = path.stat()
            found[path] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return found


def file_digests(solver: Solver, problems: Sequence[Problem]) -> list[list[str]]:
    """For each problem SHA-256 of every file that a parameter names, and of those that the solver takes by itself."""
    with blaming(f"solver '{solver.name}' cannot say which files it reads"):
        named = solver.named_files()
        paths = [list(dict.fromkeys([*named, *map(Path, solver.files(problem))])) for problem in problems]
    digests = {path: _file_digest(path) for path in set(chain.from_iterable(paths))}
    return [[digests[path] for path in of_one] for of_one in paths]


def _file_digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return ""
