"""Signals that ask the process to stop: all of them are heard as Ctrl-C is, or noted until the work can be left."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """While this context is entered, the signals only set `asked`. A second one finds the handlers of before.

    Outside the main thread, where Python allows no signal handlers, it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        self._before = _handle(SIGNALS, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        _restore(self._before)
        self._before = {}


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """While this is entered, SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does."""
    before = _handle((signal.SIGTERM, signal.SIGHUP), signal.default_int_handler)
    try:
        yield
    finally:
        _restore(before)


def _handle(numbers: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], Any]) -> dict[int, Any]:
    """Set a handler, but not where the signal is ignored, as SIGHUP is under nohup. Returns the handlers of before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heard}


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
