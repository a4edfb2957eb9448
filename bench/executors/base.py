"""The interface of an executor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

from bench.shard import Outcome, Shard


class Executor(Protocol):
    """Runs shards while it is entered. Leaving it, however that happens, leaves no process behind."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def run(self, shards: Sequence[Shard]) -> Iterator[Outcome]:
        """The outcome of every shard, as they are finished. A shard that fails has an outcome that says so."""
        ...
