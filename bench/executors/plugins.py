"""What has to be known of a solver before it runs: its one spelling, its code, its files, what it says of itself.

The code of a plug-in is asked in a process of its own: it may do anything while it is loaded, and whatever ends that
process is the plug-in's failure, never the end of the command.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from bench.errors import Exit, RequestError
from bench.executors.inline import Inline
from bench.executors.processes import Processes
from bench.executors.task import CallError, Task
from datasets.located import located
from datasets.problem import Problem
from solvers import Backend, SolverError
from solvers.errors import BrokenPluginError, ParameterError, UnavailableError, UnknownSolverError
from solvers.labels import read_label, write_label
from solvers.registry import BUILT_IN, names

_REFUSALS = {kind.__name__: kind for kind in (SolverError, ParameterError, UnavailableError, UnknownSolverError)}


class PluginError(RequestError):
    """The code of a plug-in raised an error, ended its process, or does not answer."""

    status: ClassVar[Exit] = Exit.SOLVER


@dataclass(frozen=True)
class Description:
    """What decides a solver's results, besides what it is given.

    Attributes:
        label: its canonical label.
        code: SHA-256 of the code that makes a shard of it.
        files: for each problem, SHA-256 of the files that it reads.
    """

    label: str
    code: str
    files: dict[Problem, list[str]]


@dataclass(frozen=True)
class Listed:
    """What a solver or an image set says of itself: `parameters` are (name, default or None, description), and an image
    set uses nothing."""

    summary: str
    uses: str
    parameters: list[tuple[str, str | None, str]]


def canonical(label: str) -> str:
    """The one spelling of the solver that a label asks for.

    Raises:
        SolverError: there is no such solver, or not with these parameters.
        PluginError: its code does not answer.
    """
    return describe(label).label


def describe(label: str, problems: Sequence[Problem] = ()) -> Description:
    """What has to be known of a solver on these problems.

    Raises:
        SolverError, PluginError: as `canonical`.
    """
    found = _ask(label, "describe", problems=[problem.model_dump(mode="json") for problem in problems])
    return Description(**{**found, "files": dict(zip(problems, found["files"], strict=True))})


def listed(name: str) -> Listed:
    """What `bench list` says of the solver with this name, or at this location.

    Raises:
        SolverError, PluginError: as `canonical`.
    """
    return _listed(_ask(name, "listed"))


def contents(location: str) -> tuple[list[str], dict[str, Listed]]:
    """Where the solvers of a file or a module lie, and its image sets with what they say of themselves.

    Raises:
        SolverError, PluginError: as `canonical`, or it defines nothing of that.
    """
    found = _ask(write_label(location, {}), "contents")
    return found["solvers"], {origin: _listed(fields) for origin, fields in found["datasets"].items()}


def _listed(fields: dict[str, Any]) -> Listed:
    return Listed(**{**fields, "parameters": [tuple(parameter) for parameter in fields["parameters"]]})


def _ask(label: str, probe: str, **options: Any) -> dict[str, Any]:
    name, _ = read_label(label)
    task = Task(probe, label, (), options)
    try:
        if name in BUILT_IN or not (name in names() or located(name)):
            return Inline(None, Backend("numpy")).ask(task)
        workers = _workers(tuple(sys.path))
        try:
            return workers.ask(task)
        finally:
            workers.dismiss_idle()  # the next question gets a fresh process, and the code as it is then
    except CallError as error:
        if error.kind in _REFUSALS:
            raise _REFUSALS[error.kind](error.text) from error
        if error.kind == BrokenPluginError.__name__:
            raise PluginError(error.text) from error
        raise PluginError(f"solver '{name}' cannot be used: {error}") from error


@lru_cache(maxsize=1)
def _workers(path: tuple[str, ...]) -> Processes:
    """Where plug-ins on this path are asked. They end with this process; to start the first one takes half a second."""
    return Processes(None, Backend("numpy"))
