"""Exit statuses of the command line, the exceptions that carry them, and how the text of an error is shown."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from enum import IntEnum
from typing import ClassVar

PACKAGES = ("bench", "solvers", "datasets")  # those of this distribution
LINE = 1_000  # characters of a message that is shown in one line
TRACEBACK = 20_000  # characters of a traceback

_LEFT_OUT = " […] "


class Exit(IntEnum):
    """What a shell script can rely on."""

    FINE = 0
    REGRESSION = 1
    USAGE = 2  # bad usage or bad input
    SOLVER = 3  # a solver failed or was missing
    NOTHING = 4  # nothing comparable
    BUG = 70  # our own mistake: EX_SOFTWARE of sysexits.h, so that none of the others can be confused with it
    STOPPED = 130  # what a shell makes of SIGINT
    OUTPUT_CLOSED = 141  # what a shell makes of SIGPIPE, of which other tools die where nobody reads on


class RequestError(ValueError):
    """What the user asked for cannot be done; the message is one line that names the value and the choices."""

    status: ClassVar[Exit] = Exit.USAGE


class NothingComparableError(RequestError):
    """Two results have no measurement, or no solver, in common."""

    status = Exit.NOTHING


class NothingStoredError(RequestError):
    """A run has not stored what is asked for; the message says which option stores it."""


class StoppedError(RequestError):
    """A command was stopped whose work is not lost; the message says how it goes on."""

    status = Exit.STOPPED


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """For a command that keeps what is finished.

    Raises:
        StoppedError: the user, or the system, asked for an end.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise StoppedError("stopped; the same command goes on where it was") from error


class OutputClosed(BaseException):
    """Nobody reads standard output any more: as KeyboardInterrupt, nothing that a command should handle."""


def tell(error: BaseException) -> Exit:
    """Say in one line on standard error what has ended the program; returns the exit status. `--debug` adds where."""
    if isinstance(error, KeyboardInterrupt):
        say("stopped")
        return Exit.STOPPED
    if debugging():
        traceback.print_exception(error)
    say(reason(error))
    if _is_users(error):
        return getattr(error, "status", Exit.USAGE)
    return Exit.USAGE if _is_installations(error) else Exit.BUG


def reason(error: BaseException) -> str:
    """What is said of an error that ends the program."""
    if _is_users(error):
        return str(error)
    if _is_installations(error):
        return f"cannot start, for want of a package or of memory: {one_line(error)}"
    return f"internal error, {one_line(error)} (--debug shows where; please report it)"


def debugging() -> bool:
    """Whether the user asked for tracebacks."""
    return "--debug" in sys.argv


def say_all(text: str) -> None:
    """A traceback on standard error."""
    print(visible(text.rstrip()), file=sys.stderr)


def say(message: str) -> None:
    """One line on standard error."""
    print("bench: " + one_line(message), file=sys.stderr)


def _is_users(error: BaseException) -> bool:
    """Whether an error tells the user what to change. A class of a module that was never imported cannot be its own."""
    places = (("datasets.errors", "DatasetError"), ("solvers.errors", "SolverError"))
    known = (getattr(sys.modules.get(module), name, RequestError) for module, name in places)
    return isinstance(error, (RequestError, OSError, *known))


def _is_installations(error: BaseException) -> bool:
    """Whether a package that is not ours is missing, or could not be loaded."""
    return isinstance(error, ImportError) and (error.name or "").partition(".")[0] not in PACKAGES


def clean(text: str, limit: int) -> str:
    """Text of a solver, a plug-in, a file or a user, made fit to be shown and stored.

    Characters that a terminal might obey, and lone surrogates, which no file takes, become visible escapes (\\x1b);
    line breaks and tabs stay. Of a text that is longer than `limit` characters the beginning and the end are left.
    """
    if len(text) <= limit:
        shown = visible(text)
        if len(shown) <= limit:
            return shown
    head = (limit - len(_LEFT_OUT)) // 2
    tail = limit - len(_LEFT_OUT) - head
    return visible(text[:head])[:head] + _LEFT_OUT + visible(text[-tail:])[-tail:]


def one_line(what: BaseException | str) -> str:
    """An exception's class and message, or a text, cleaned and without line breaks: at most `LINE` characters."""
    text = what if isinstance(what, str) else "".join(traceback.format_exception_only(what))
    return " ".join(clean(text, LINE).split())


def visible(text: str) -> str:
    """The text with escapes (\\x1b) in place of what a terminal might obey, and of lone surrogates."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else character.encode("unicode_escape").decode()
        for character in text
    )
