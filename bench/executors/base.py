"""The interface of an executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Self

from bench.executors.probes import Tell
from bench.executors.task import Task
from bench.sweep.shard import Outcome, Shard


class Place(Protocol):
    """Where a solver can be asked something."""

    def ask(self, task: Task, tell: Tell | None = None) -> Any:
        """What comes of a task; on the way, what the solver's place tells goes to `tell`.

        Raises:
            CallError: it failed there, took longer than a shard may, or ended its process.
        """
        ...


class Executor(Protocol):
    """Solves shards while it is entered. Leaving it, however that happens, leaves no process behind."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def run(self, shards: Sequence[Shard]) -> Iterator[Outcome]:
        """The outcome of every shard, as they are finished. A shard that fails has an outcome that says so."""
        ...

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """`function(*arguments, images, place)` beside a place where solvers are, when no shard is at work.

        Raises:
            CallError: as `Place.ask`.
        """
        ...
