"""Worker processes on this machine. One that takes too long is ended; one that dies is replaced."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any, Self

from bench.errors import RequestError
from bench.executors.call import Answer, Call, CallError
from bench.executors.worker_process import WorkerProcess
from bench.rows import FAILED, TIMEOUT
from bench.shard import Outcome, Shard, unsolved
from datasets import ImageSet
from solvers import Backend

LIVES = 2  # how often a shard may cost its process the life before it counts as failed


class Processes:
    """A crew of workers, each with one shard at a time.

    Args:
        workers: how many there are, at most.
        timeout: seconds for one shard, without the start of the process; None for as long as it takes.
        beside: shards solved at a time, where these workers are not the only ones.
    """

    def __init__(
        self,
        images: ImageSet,
        backend: Backend,
        workers: int = 1,
        timeout: float | None = None,
        beside: int | None = None,
    ) -> None:
        self.images, self.backend, self.workers, self.timeout = images, backend, workers, timeout
        self.beside = beside or workers
        self._ended = False
        self._crew: list[WorkerProcess] = []
        self._deaths: Counter[Shard | None] = Counter()  # None: before the process was ready for a shard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """End all workers; a `run` in another thread ends as well, without the outcomes that are missing."""
        self._ended = True
        while self._crew:
            self._crew.pop().end()

    def run(self, shards: Sequence[Shard]) -> Iterator[Outcome]:
        """As `Executor.run`.

        Raises:
            RequestError: the processes end before they are ready.
        """
        waiting = deque(shards)
        while not self._ended and (waiting or any(worker.task for worker in self._crew)):
            self._man(len(waiting))
            for worker in self._crew:
                if waiting and worker.ready and worker.task is None:
                    worker.give(waiting.popleft(), self.timeout)
            deadline = min(worker.deadline for worker in self._crew)
            patience = max(0.0, deadline - time.monotonic()) if deadline < float("inf") else None
            heard = wait([worker.connection for worker in self._crew], patience)
            for worker in [worker for worker in self._crew if worker.connection in heard]:
                shard = worker.task
                assert not isinstance(shard, Call)
                try:
                    outcome = worker.receive()
                    assert not isinstance(outcome, Answer)
                    del self._deaths[shard]
                except EOFError:
                    outcome = self._bury(worker, shard, waiting)
                if outcome is not None:
                    yield outcome
            for worker in [worker for worker in self._crew if worker.deadline <= time.monotonic()]:
                yield self._stop(worker)

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """As `Executor.call`."""
        self._man(0 if self._crew else 1)
        worker = next((worker for worker in self._crew if worker.ready), self._crew[0])
        try:
            if not worker.ready:
                worker.receive()
            worker.give(Call(function, arguments), self.timeout)
            if not worker.connection.poll(self.timeout):
                self._dismiss(worker)
                raise CallError(f"no answer after {self.timeout:g} s")
            answer = worker.receive()
        except EOFError:
            cause = worker.cause_of_death()
            self._dismiss(worker)
            raise CallError(f"the worker process died: {cause}") from None
        assert isinstance(answer, Answer)
        return answer.get()

    def _man(self, waiting: int) -> None:
        """Start the workers that are missing, where there is work for them."""
        busy = sum(worker.task is not None for worker in self._crew)
        while len(self._crew) < min(self.workers, busy + waiting):
            self._crew.append(WorkerProcess(self.images, self.backend, self.beside))

    def _stop(self, worker: WorkerProcess) -> Outcome:
        """End a worker that is late."""
        shard, seconds = worker.task, worker.seconds
        assert isinstance(shard, Shard)
        self._dismiss(worker)
        return unsolved(self.images, shard, TIMEOUT, f"no result after {self.timeout:g} s", seconds)

    def _bury(self, worker: WorkerProcess, shard: Shard | None, waiting: deque[Shard]) -> Outcome | None:
        """Put the shard of a dead worker back, or give it up if it is not the first worker that it has cost."""
        seconds, cause = worker.seconds, worker.cause_of_death()
        self._dismiss(worker)
        self._deaths[shard] += 1
        again = self._deaths[shard] < LIVES
        if shard is None:
            if not again:
                raise RequestError(f"worker processes end before they are ready: {cause}")
        elif again:
            waiting.appendleft(shard)
        else:
            return unsolved(self.images, shard, FAILED, f"the worker process died twice: {cause}", seconds)
        return None

    def _dismiss(self, worker: WorkerProcess) -> None:
        if worker in self._crew:
            self._crew.remove(worker)
        worker.end()
