"""The interface of an executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Self

from bench.shard import Outcome, Shard


class Executor(Protocol):
    """Solves shards while it is entered. Leaving it, however that happens, leaves no process behind."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def run(self, shards: Sequence[Shard]) -> Iterator[Outcome]:
        """The outcome of every shard, as they are finished. A shard that fails has an outcome that says so."""
        ...

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """`function(*arguments, images, backend)` in one of the places where shards are solved, when none is.

        Raises:
            CallError: it failed there, took longer than a shard may, or brought its process down.
        """
        ...
