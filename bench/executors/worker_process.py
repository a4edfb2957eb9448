"""A process that solves one shard after the other, warm, and that can be ended at any moment.

It is started afresh (never forked: torch's threads would not survive that), leads a process group of its own, and is
spoken to through a socket. Whatever it has started ends with it, and it ends itself when its owner is gone. It is no
`multiprocessing.Process`, which the workers of dask may not start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path

from bench import worker
from bench.executors.call import Answer, Call
from bench.shard import Outcome, Shard
from datasets import ImageSet
from solvers import Backend


class WorkerProcess:
    """The owner's side of one worker.

    Attributes:
        connection: readable when there is something to `receive`.
        ready: it has imported what it needs, and can be given a shard.
        task: what it works on, if anything.
        deadline: when that is to be finished, on the monotonic clock.
    """

    def __init__(self, images: ImageSet, backend: Backend, beside: int = 1) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", worker.__file__],
                stdin=theirs.fileno(),
                env=_environment(backend.threads),
                start_new_session=True,
            )
        self.ready = False
        self.task: Shard | Call | None = None
        self.deadline = float("inf")
        self._given = time.monotonic()
        self._send([entry or str(Path.cwd()) for entry in sys.path])
        self._send((images, replace(backend), beside))  # a backend in use has a module in it, which cannot be sent

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def seconds(self) -> float:
        """Since it was given its task."""
        return time.monotonic() - self._given

    def give(self, task: Shard | Call, timeout: float | None) -> None:
        """Let it solve a shard, or answer a call, for so many seconds at most."""
        self.task, self._given = task, time.monotonic()
        self.deadline = self._given + timeout if timeout is not None else float("inf")
        self._send(task)

    def receive(self) -> Outcome | Answer | None:
        """The outcome of its shard, or the answer to its call; None where it says that it is ready.

        Raises:
            EOFError: the process has died.
        """
        try:
            result = self.connection.recv()
        except OSError as error:
            raise EOFError from error
        self.ready, self.task, self.deadline = True, None, float("inf")
        return result

    def cause_of_death(self) -> str:
        """How it ended, once `receive` has found that it did."""
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"

    def end(self) -> None:
        """Kill it, with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self.connection.close()

    def _send(self, message: object) -> None:
        with contextlib.suppress(OSError):  # it has died, which `receive` will find
            self.connection.send(message)


def _environment(threads: int) -> dict[str, str]:
    """Ours, and no more threads for libraries that choose their number by themselves."""
    return {"OMP_NUM_THREADS": str(threads), **os.environ}
