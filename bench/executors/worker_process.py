"""The owner's side of worker processes: a warden, which starts and ends them, and a channel to each.

A worker is made for one solver. It leads a process group of its own; whatever it has started ends with it, and all of
them end when their owner is gone. They are no `multiprocessing.Process`, which the workers of dask may not start.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any, ClassVar

from bench.errors import Exit, RequestError
from bench.executors import warden_main
from bench.executors.channel import Channel, MessageError, shared_memory
from bench.executors.task import Task
from solvers import Backend


class WardenError(RequestError):
    """The warden was ended while it was at work, which only a solver has a reason to do."""

    status: ClassVar[Exit] = Exit.SOLVER


class Warden:
    """The process that starts and ends workers, and tells of their deaths."""

    def __init__(self, backend: Backend) -> None:
        """Begin to start it: it will be waited for when it is to start a worker."""
        self.connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", warden_main.__file__],
                stdin=theirs.fileno(),
                env=_environment(backend.threads),
                start_new_session=True,
            )
        self._deaths: dict[int, str] = {}
        self._ready = False
        settings = {name: getattr(backend, name) for name in ("name", "device", "precision", "threads")}
        path = [entry or str(Path.cwd()) for entry in sys.path]
        with contextlib.suppress(OSError):  # it has died, which `start` will find
            self.connection.send_bytes(json.dumps({"path": path, "backend": settings}).encode())

    def _wait_until_ready(self) -> None:
        if self._ready:
            return
        try:
            self.connection.recv_bytes()
        except (EOFError, OSError):
            raise RequestError(f"worker processes end before they are ready: {_cause(self._process.wait())}") from None
        self._ready = True

    def start(self, label: str, folder: str | None = None) -> Worker:
        """A fresh worker for this solver, in a folder from which the paths in its label are seen: the present one, or
        another one if it is there.

        Raises:
            RequestError: it ends before it is ready.
        """
        self._wait_until_ready()
        ours, theirs = Pipe()
        forth, back = shared_memory(), shared_memory()
        with theirs:
            try:
                self.connection.send_bytes(json.dumps({"folder": folder or str(Path.cwd())}).encode())
                for descriptor in (theirs.fileno(), forth, back):
                    send_handle(self.connection, descriptor, self._process.pid)
                while "started" not in (message := self._hear()):
                    pass
            except (EOFError, OSError):
                raise WardenError(f"worker processes cannot be started: {_cause(self._process.wait())}") from None
        worker = Worker(label, message["started"], Channel(ours, forth, back))
        worker.wait_until_ready()
        return worker

    def dead(self) -> set[int]:
        """The process numbers of the workers that have died by themselves, and were not ended yet.

        Raises:
            RequestError: the warden itself has died.
        """
        try:
            while self.connection.poll():
                self._hear()
        except (EOFError, OSError):
            raise WardenError(f"a solver ended the warden of the workers: {_cause(self._process.wait())}") from None
        return set(self._deaths)

    def end(self, worker: Worker, patience: float = 0.0) -> str:
        """End a worker with all that it has started, also one that is dead.

        Returns:
            How it died, if it did so by itself before `patience` seconds were over.
        """
        cause = "it closed its connection"
        with contextlib.suppress(EOFError, OSError):
            if self._heard_of(worker, patience):
                cause = self._deaths.pop(worker.pid)
            else:
                self.connection.send_bytes(json.dumps({"end": worker.pid}).encode())
                self._heard_of(worker, None)
                self._deaths.pop(worker.pid, None)
        worker.channel.connection.close()
        return cause

    def close(self) -> None:
        """End it, and with it all workers; from any thread."""
        self._process.terminate()
        self._process.wait()

    def _heard_of(self, worker: Worker, patience: float | None) -> bool:
        """Whether the death of a worker was told before these seconds are over."""
        deadline = None if patience is None else time.monotonic() + patience
        while worker.pid not in self._deaths:
            left = None if deadline is None else deadline - time.monotonic()
            if not self.connection.poll(left if left is None else max(left, 0.0)):
                return False
            self._hear()
        return True

    def _hear(self) -> dict[str, Any]:
        message = json.loads(self.connection.recv_bytes())
        if "died" in message:
            self._deaths[message["died"]] = _cause(message["status"])
        return message


class Worker:
    """A process in which one solver does one task after the other.

    Attributes:
        label: of its solver.
        channel: its connection is readable when there is something to `receive`.
        task: what it works on, if anything; with what the owner wants to remember beside it.
        deadline: when that is to be finished, on the monotonic clock.
    """

    def __init__(self, label: str, pid: int, channel: Channel) -> None:
        self.label, self.pid, self.channel = label, pid, channel
        self.task: Any = None
        self.deadline = float("inf")
        self._given = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it was given its task."""
        return time.monotonic() - self._given

    def wait_until_ready(self) -> None:
        with contextlib.suppress(EOFError):  # it has died, which the first task will find
            self.channel.receive()

    def give(self, task: Task, remembered: Any, timeout: float | None) -> None:
        """Let it do a task, for so many seconds at most."""
        self.task, self._given = remembered, time.monotonic()
        self.deadline = self._given + timeout if timeout is not None else float("inf")
        with contextlib.suppress(OSError):  # it has died, which `receive` will find
            self.channel.send(task.plain())

    def receive(self) -> dict[str, Any]:
        """Its next message: `seen`, after which it waits for `go_on`, and in the end a `value` or an `error`.

        Raises:
            EOFError: the process has died.
        """
        try:
            message = self.channel.receive()
        except MessageError as error:
            return {"error": str(error)}
        if not isinstance(message, dict):
            return {"error": "no message: it is no dictionary"}
        return message

    def go_on(self) -> None:
        """What it let us see has been looked at."""
        with contextlib.suppress(OSError):  # it has died, which `receive` will find
            self.channel.send({})

    def rest(self) -> None:
        """Its task is done."""
        self.task, self.deadline = None, float("inf")


def _cause(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {-status}"


def _environment(threads: int) -> dict[str, str]:
    """Ours, and no more threads for libraries that choose their number by themselves."""
    return {"OMP_NUM_THREADS": str(threads), **os.environ}
