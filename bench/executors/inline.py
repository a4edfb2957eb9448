"""One shard after the other in this process: what a debugger can follow, and nothing can end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

from bench.executors.call import Call
from bench.keys import code_of
from bench.shard import Outcome, Shard, Worker
from datasets import ImageSet
from solvers import Backend


class Inline:
    def __init__(self, images: ImageSet, backend: Backend) -> None:
        self._worker = Worker(images, backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def run(self, shards: Sequence[Shard]) -> Iterator[Outcome]:
        for shard in shards:
            outcome = self._worker.run(shard)
            yield replace(outcome, code=code_of(shard.solver))

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        return Call(function, arguments).answer(self._worker.images, self._worker.backend).get()
