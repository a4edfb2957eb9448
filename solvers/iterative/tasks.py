"""The queue that the threads of a run share. A task that is done may be followed by another one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from threading import Condition
from typing import Generic, TypeVar

Task = TypeVar("Task")


class Tasks(Generic[Task]):
    """Tasks for `workers` threads, which end together: when all tasks and those that followed them are done.

    A thread takes many tasks at a time while there are many, and few towards the end, so that no thread is left with
    a heap of them (guided self-scheduling: Polychronopoulos and Kuck, IEEE Trans. Comput. C-36, 1425, 1987).
    """

    def __init__(self, tasks: Iterable[Task], workers: int) -> None:
        self._waiting = deque(tasks)
        self._workers = workers
        self._taken = 0
        self._cancelled = False
        self._change = Condition()

    def take(self, most: int, *, patient: bool) -> list[Task]:
        """Up to `most` of the tasks that wait.

        Args:
            patient: where none waits, wait for those that may follow the ones in other hands; an empty list then
                says that there will be no more.
        """
        with self._change:
            while patient and not self._waiting and self._taken and not self._cancelled:
                self._change.wait()
            if self._workers > 1:
                most = min(most, 1 + len(self._waiting) // (2 * self._workers))
            tasks = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._taken += len(tasks)
            return tasks

    def done(self, count: int, followers: Iterable[Task] = ()) -> None:
        """So many of the taken tasks are done. Their followers go ahead of the rest: what takes longest must not be
        begun last."""
        with self._change:
            if not self._cancelled:
                self._waiting.extendleft(followers)
            self._taken -= count
            self._change.notify_all()

    def cancel(self) -> None:
        """Nothing more is to be begun, and nobody waits any longer."""
        with self._change:
            self._cancelled = True
            self._waiting.clear()
            self._change.notify_all()
