"""How workers that have run out of work relieve those that have not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Generic, TypeVar

Work = TypeVar("Work")


class Relief(Generic[Work]):
    """Where threads wait for parts of each other's work, and end together.

    Work comes only from threads that are at work: when all of them wait, there will be no more.
    """

    def __init__(self) -> None:
        self._busy = 0
        self._waiting = 0
        self._offers: deque[Work] = deque()
        self._change = Condition()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """One thread's whole time. It leaves with or without an error, and nobody waits for it any more."""
        with self._change:
            self._busy += 1
        try:
            yield
        finally:
            with self._change:
                self._busy -= 1
                self._change.notify_all()

    def wanted(self) -> bool:
        """Whether a thread waits for which there is no offer yet."""
        return self._waiting > len(self._offers)

    def offer(self, work: Work) -> None:
        """Leave work for a thread that waits."""
        with self._change:
            self._offers.append(work)
            self._change.notify()

    def wait(self) -> Work | None:
        """Wait for work, as one of those at work; None once all of them wait."""
        with self._change:
            self._waiting += 1
            try:
                while not self._offers and self._waiting < self._busy:
                    self._change.wait()
                if self._offers:
                    return self._offers.popleft()
                self._change.notify_all()
                return None
            finally:
                self._waiting -= 1
