"""One shard after the other in this process: what a debugger can follow, and nothing can end or isolate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from bench.executors.probes import Bench, Tell
from bench.executors.task import CallError, Task, told
from bench.sweep.shard import Observation, Outcome, Shard
from bench.sweep.solved import Solved
from datasets import ImageSet, PatternSet
from solvers import Backend


class Inline:
    """As `Executor` and `Place`. The truth lies in the same process as the solver."""

    def __init__(self, images: ImageSet | PatternSet | None, backend: Backend) -> None:
        self.images, self.backend = images, backend
        self._bench = Bench(backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def run(self, shards: Sequence[Shard]) -> Iterator[Outcome]:
        """As `Executor.run`."""
        if shards:
            self._warm_up()
        for shard in shards:
            assert self.images is not None
            observation = Observation.of(self.images, shard, self.backend.threads)
            value = Task("solve", shard.solver, (observation.measurement,), told(shard)).perform(self._bench, _nobody)
            solved = Solved.of(value, observation.measurement)
            yield observation.outcome(solved, self.backend.threads)

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """As `Executor.call`."""
        self._warm_up()
        return function(*arguments, self.images, self)

    def _warm_up(self) -> None:
        """Solving needs torch, whose import takes a second that is none of the solver's."""
        if self.backend.name == "torch":
            import torch  # noqa: F401

    def ask(self, task: Task, tell: Tell | None = None) -> Any:
        """As `Place.ask`."""
        try:
            return task.perform(self._bench, tell or _nobody)
        except (Exception, SystemExit) as failure:
            raise CallError.by(failure) from failure


def _nobody(seen: dict[str, Any]) -> None:
    pass
