"""A call of a function where shards are solved: for what a solver does besides the shards of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.errors import one_line
from datasets import ImageSet
from solvers import Backend


class CallError(Exception):
    """The function raised an error, took too long, or cost its process the life; the message is one line."""


@dataclass(frozen=True)
class Call:
    """`function(*arguments, images, backend)` with the images and the backend of an executor.

    The function is one of a module, and what it takes and gives can be pickled.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def answer(self, images: ImageSet, backend: Backend) -> Answer:
        """What it gives, or the error that it raises: a solver may raise anything."""
        try:
            return Answer(self.function(*self.arguments, images, backend))
        except (Exception, SystemExit) as failure:
            return Answer(error=one_line(failure))


@dataclass(frozen=True)
class Answer:
    """What a call has come to."""

    value: Any = None
    error: str = ""

    def get(self) -> Any:
        """The value.

        Raises:
            CallError: there is none.
        """
        if self.error:
            raise CallError(self.error)
        return self.value
