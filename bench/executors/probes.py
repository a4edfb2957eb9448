"""What is asked of a solver where it is isolated: to solve a shard, to be timed, to be watched.

Each probe is called with the backend of that place and a solver's label, and gets measurements and nothing else: the
true objects stay with the caller. What it returns, and what it tells on the way, is plain data (`channel`).
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

from bench.errors import TRACEBACK, clean, one_line
from bench.executors.code import code_of, file_digests
from bench.executors.contract import CHECKS, Breach, Case
from bench.sweep.memory import peak_memory
from bench.sweep.solved import MalformedError, Solved, checked, text
from datasets import Measurement
from datasets import images as image_sets
from datasets.located import located
from datasets.problem import Problem
from solvers import Backend, IterativeSolver, Snapshot, Solver, SolverError, Streams, create, registry
from solvers.errors import BrokenPluginError, UnknownSolverError
from solvers.labels import read_label
from solvers.registry import Parameter, canonical, information, parameters, solver_class

Tell = Callable[[dict[str, Any]], None]
Setting = dict[str, Any]  # a `Problem` as plain data

SINGLES = 5  # images solved by themselves for a solver's latency
BUDGET = 2.0  # seconds for those of one solver: none is begun after them


class Bench:
    """A place where one solver after the other is set up: once for all shards of a problem that follow each other."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._prepared: tuple[tuple[str, Problem], Solver] | None = None

    def prepared(self, label: str, problem: Problem) -> Solver:
        key = (label, problem)
        if self._prepared is None or self._prepared[0] != key:
            self._prepared = None  # before the next one needs its memory
            solver = create(label)
            solver.prepare(self.backend, problem)
            self.backend.synchronize()
            self._prepared = (key, solver)
        return self._prepared[1]


def solve(
    bench: Bench, tell: Tell, label: str, measurement: Measurement, *, problem: Setting, seed: int
) -> dict[str, Any]:
    """`Solved.plain()` of a measurement. An error of the solver is part of the answer: it may raise anything."""
    clock = time.perf_counter
    began = prepared = clock()
    found, error, reason, weights, uses, processor = None, "", "", "", "", 0.0
    try:
        solver = bench.prepared(label, Problem(**problem))
        prepared, processor = clock(), time.process_time()
        found = solver.solve(measurement, Streams(seed))
        bench.backend.synchronize()
        solved, processor = clock(), time.process_time() - processor
        found, weights = checked(found, measurement), text(solver.weights_digest(), "what weights_digest() returned")
        uses = str(information(solver).on(measurement))
    except (Exception, SystemExit) as failure:
        solved, processor = clock(), 0.0
        reason = str(failure) if isinstance(failure, MalformedError | BrokenPluginError) else one_line(failure)
        found, error = None, clean(traceback.format_exc(), TRACEBACK)
    return Solved(
        found=found,
        error=error,
        reason=reason,
        setup=prepared - began,
        solve=solved - prepared,
        cpu=processor,
        memory=peak_memory(),
        information=uses,
        weights=weights,
        code=code_of(label),
    ).plain()


def alone(
    bench: Bench, tell: Tell, label: str, *measurements: Measurement, problem: Setting, seed: int
) -> dict[str, list[float]]:
    """Milliseconds of each setup, and of each of these measurements solved by itself. The first one only warms up."""
    clock = time.perf_counter
    setups: list[float] = []
    solves: list[float] = []
    began = clock()
    for i, measurement in enumerate(measurements):
        start = clock()
        solver = create(label)
        solver.prepare(bench.backend, Problem(**problem))
        bench.backend.synchronize()
        ready = clock()
        solver.solve(measurement, Streams(seed))
        bench.backend.synchronize()
        done = clock()
        if i:
            setups.append(1e3 * (ready - start))
            solves.append(1e3 * (done - ready))
        if done - began > BUDGET and solves:
            break
    return {"setups": setups, "solves": solves}


def converge(bench: Bench, tell: Tell, label: str, measurement: Measurement, *, problem: Setting, seed: int) -> bool:
    """Tell every snapshot of a solver's first start, and whether it is one that iterates."""
    solver = create(label)
    if not isinstance(solver, IterativeSolver):
        return False
    solver.prepare(bench.backend, Problem(**problem))

    def observer(snapshot: Snapshot) -> None:
        first = snapshot.starts == 0
        if first.any():
            tell(
                {
                    "images": snapshot.images[first],
                    "iterations": snapshot.iterations[first],
                    "residual": snapshot.residual[first],
                    "estimate": snapshot.estimate[first],
                    "seconds": snapshot.seconds,
                }
            )

    solver.solve(measurement, Streams(seed), observer)
    return True


def contract(bench: Bench, tell: Tell, label: str, measurement: Measurement, *, problem: Setting, check: str) -> str:
    """How a solver breaks one promise (a name of `contract.CHECKS`), in words; empty where it keeps it."""
    try:
        of = Problem(**problem)
        solver = bench.prepared(label, of)
        case = Case(solver, of, measurement, solver.solve(measurement, Streams(0)))
        CHECKS[check](case)
    except Breach as breach:
        return one_line(str(breach))
    return ""


def describe(bench: Bench, tell: Tell, label: str, *, problems: list[Setting]) -> dict[str, Any]:
    """What the runner has to know of a solver before it runs: `plugins.Description`, with the files of each problem."""
    solver = create(label)
    return {
        "label": canonical(label),
        "code": code_of(label),
        "files": file_digests(solver, [Problem(**problem) for problem in problems]),
    }


def listed(bench: Bench, tell: Tell, label: str) -> dict[str, Any]:
    """What `bench list` says of a solver: `plugins.Listed`."""
    kind = solver_class(read_label(label)[0])
    described = parameters(kind)
    needed = [parameter.name for parameter in described if parameter.default is None]
    if needed:
        uses = f"what its parameters say: there is no default for {', '.join(needed)}"
    else:
        try:
            uses = str(information(create(label)))
        except SolverError as error:
            uses = f"it is not known what: {error}"
    return {"summary": kind.summary, "uses": uses, "parameters": _plain(described)}


def contents(bench: Bench, tell: Tell, label: str) -> dict[str, Any]:
    """The solvers and the image sets of a file or a module, by where they lie: `plugins.contents`."""
    name, _ = read_label(label)
    where = located(name)
    assert where is not None
    chosen = [origin for origin in registry.contents(where) if not where.name or origin.endswith(f":{where.name}")]
    sets = [origin for origin in image_sets.contents(where) if not where.name or origin.endswith(f":{where.name}")]
    if not chosen and not sets:
        raise UnknownSolverError(f"'{where}' defines no solver and no image set")
    kinds = {origin: image_sets.source_class(origin) for origin in sets}
    return {
        "solvers": chosen,
        "datasets": {
            origin: {"summary": kind.summary, "uses": "", "parameters": _plain(parameters(kind))}
            for origin, kind in kinds.items()
        },
    }


def _plain(described: list[Parameter]) -> list[list[str | None]]:
    return [[parameter.name, parameter.default, parameter.description] for parameter in described]


PROBES: dict[str, Callable[..., Any]] = {
    probe.__name__: probe for probe in (solve, alone, converge, contract, describe, listed, contents)
}
