"""Worker processes on this machine. One that takes too long is ended; one that dies is replaced.

This process measures and scores; a worker is given the intensities alone. Each solver has workers of its own: what it
does to its process, to random numbers or to torch's settings, no other solver gets to feel.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any, Self

from bench.executors.probes import Tell
from bench.executors.task import CallError, Task, told
from bench.executors.worker_process import Warden, Worker
from bench.sweep.rows import FAILED, TIMEOUT
from bench.sweep.shard import Observation, Outcome, Shard
from bench.sweep.solved import MalformedError, Solved
from datasets import ImageSet, PatternSet
from solvers import Backend

LIVES = 2  # how often a shard may end its process before it counts as failed


class Processes:
    """A crew of workers, each with one shard at a time.

    Args:
        images: None where solvers are only asked something.
        workers: how many there are, at most.
        timeout: seconds for one shard; None for as long as it takes.
        beside: shards solved at a time, where these workers are not the only ones.
        folder: from which paths in labels are seen, if not from the present one.
        at_once: begin to start, which takes seconds, before the first one is needed.
    """

    def __init__(
        self,
        images: ImageSet | PatternSet | None,
        backend: Backend,
        workers: int = 1,
        timeout: float | None = None,
        beside: int | None = None,
        folder: str | None = None,
        at_once: bool = False,
    ) -> None:
        self.images, self.backend, self.workers, self.timeout = images, backend, workers, timeout
        self.beside, self.folder = beside or workers, folder
        self._ended = False
        self._warden_process = Warden(backend) if at_once else None
        self._crew: list[Worker] = []
        self._deaths: Counter[Shard] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """End all workers; a `run` in another thread ends as well, without the outcomes that are missing."""
        self._ended = True
        if self._warden_process is not None:
            self._warden_process.close()

    def run(self, shards: Sequence[Shard]) -> Iterator[Outcome]:
        """As `Executor.run`, one solver after the other.

        Raises:
            RequestError: the processes end before they are ready.
        """
        order = list(dict.fromkeys(shard.solver for shard in shards))
        waiting = deque(sorted(shards, key=lambda shard: order.index(shard.solver)))
        while not self._ended and (waiting or any(worker.task for worker in self._crew)):
            self._occupy(waiting)
            deadline = min(worker.deadline for worker in self._crew)
            patience = max(0.0, deadline - time.monotonic()) if deadline < float("inf") else None
            heard = wait([self._warden.connection, *(worker.channel.connection for worker in self._crew)], patience)
            if self._ended:
                return
            dead = self._warden.dead()
            for worker in list(self._crew):
                outcome = None
                # What a worker has sent before it died counts.
                if worker.channel.connection in heard or (worker.pid in dead and worker.channel.connection.poll()):
                    outcome = self._listen(worker, waiting)
                elif worker.pid in dead:
                    outcome = self._bury(worker, waiting)
                elif worker.deadline <= time.monotonic():
                    outcome = self._stop(worker)
                if outcome is not None:
                    yield outcome

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """As `Executor.call`."""
        return function(*arguments, self.images, self)

    def ask(self, task: Task, tell: Tell | None = None) -> Any:
        """As `Place.ask`."""
        worker = next((worker for worker in self._crew if worker.label == task.label), None)
        if worker is None:
            self.dismiss_idle()
            worker = self._warden.start(task.label, self.folder)
            self._crew.append(worker)
        worker.give(task, task, self.timeout)
        try:
            while True:
                left = max(0.0, worker.deadline - time.monotonic()) if self.timeout is not None else None
                heard = wait([self._warden.connection, worker.channel.connection], left)
                if not heard:
                    self._dismiss(worker)
                    raise CallError(f"no answer after {self.timeout:g} s")
                dead = self._warden.dead()
                if worker.channel.connection not in heard and not worker.channel.connection.poll():
                    if worker.pid in dead:
                        raise EOFError
                    continue
                message = worker.receive()
                if "seen" in message:
                    self._show(worker, message["seen"], tell)
                    continue
                worker.rest()
                if "value" not in message:
                    raise CallError.of(message)
                return message["value"]
        except EOFError:
            raise CallError(f"the worker process died: {self._dismiss(worker, patience=1.0)}") from None

    @property
    def _warden(self) -> Warden:
        if self._warden_process is None:
            self._warden_process = Warden(self.backend)
        return self._warden_process

    def _occupy(self, waiting: deque[Shard]) -> None:
        """Give every idle worker a shard of its solver; others are started in the place of those that have none."""
        for worker in [worker for worker in self._crew if worker.task is None]:
            shard = next((shard for shard in waiting if shard.solver == worker.label), None)
            if shard is None:
                if waiting:
                    self._dismiss(worker)
            else:
                waiting.remove(shard)
                self._give(worker, shard)
        while waiting and len(self._crew) < self.workers:
            shard = waiting.popleft()
            worker = self._warden.start(shard.solver, self.folder)
            self._crew.append(worker)
            self._give(worker, shard)

    def _give(self, worker: Worker, shard: Shard) -> None:
        assert self.images is not None
        observation = Observation.of(self.images, shard, self.backend.threads)
        worker.give(Task("solve", shard.solver, (observation.measurement,), told(shard)), observation, self.timeout)

    def _listen(self, worker: Worker, waiting: deque[Shard]) -> Outcome | None:
        """What a worker says of its shard."""
        observation = worker.task
        assert isinstance(observation, Observation) or observation is None
        try:
            message = worker.receive()
        except EOFError:
            return self._bury(worker, waiting)
        if observation is None or "seen" in message:  # it talks unasked
            return None
        seconds = worker.seconds
        worker.rest()
        try:
            if "value" not in message:
                raise MalformedError(str(CallError.of(message)))
            solved = Solved.of(message["value"], observation.measurement)
        except MalformedError as error:
            return observation.unsolved(FAILED, str(error), seconds)
        del self._deaths[observation.shard]
        return observation.outcome(solved, self.backend.threads, self.beside)

    def _show(self, worker: Worker, seen: dict[str, Any], tell: Tell | None) -> None:
        """What a worker tells on its way, for which it waits."""
        try:
            if tell is not None:
                tell(seen)
        except BaseException:
            self._dismiss(worker)  # it would take the next task for the word that it waits for
            raise
        worker.go_on()

    def _stop(self, worker: Worker) -> Outcome:
        """End a worker that is late."""
        observation, seconds = worker.task, worker.seconds
        self._dismiss(worker)
        return observation.unsolved(TIMEOUT, f"no result after {self.timeout:g} s", seconds)

    def _bury(self, worker: Worker, waiting: deque[Shard]) -> Outcome | None:
        """Put the shard of a dead worker back, or give it up if it is not the first worker that it has ended."""
        observation, seconds = worker.task, worker.seconds
        cause = self._dismiss(worker, patience=1.0)
        if observation is None:
            return None
        self._deaths[observation.shard] += 1
        if self._deaths[observation.shard] < LIVES:
            waiting.appendleft(observation.shard)
            return None
        return observation.unsolved(FAILED, f"the worker process died twice: {cause}", seconds)

    def _dismiss(self, worker: Worker, patience: float = 0.0) -> str:
        self._crew.remove(worker)
        return self._warden.end(worker, patience)

    def dismiss_idle(self) -> None:
        """End the workers that have nothing to do."""
        for worker in [worker for worker in self._crew if worker.task is None]:
            self._dismiss(worker)
