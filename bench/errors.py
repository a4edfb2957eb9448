"""Exit statuses of the command line, the exceptions that carry them, and how the text of an error is shown."""

from __future__ import annotations

import traceback
from enum import IntEnum
from typing import ClassVar

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


class RequestError(ValueError):
    """What the user asked for cannot be done; the message is one line that names the value and the choices."""

    status: ClassVar[Exit] = Exit.USAGE


class NothingComparableError(RequestError):
    """Two results have no measurement, or no solver, in common."""

    status = Exit.NOTHING


def clean(text: str, limit: int) -> str:
    """Text of a solver, a plug-in, a file or a user, made fit to be shown and stored.

    Characters that a terminal might obey, and lone surrogates, which no file takes, become visible escapes (\\x1b);
    line breaks and tabs stay. Of a text that is longer than `limit` characters the beginning and the end are left.
    """
    if len(text) <= limit:
        shown = _visible(text)
        if len(shown) <= limit:
            return shown
    head = (limit - len(_LEFT_OUT)) // 2
    tail = limit - len(_LEFT_OUT) - head
    return _visible(text[:head])[:head] + _LEFT_OUT + _visible(text[-tail:])[-tail:]


def one_line(what: BaseException | str) -> str:
    """An exception's class and message, or a text, cleaned and without line breaks: at most `LINE` characters."""
    text = what if isinstance(what, str) else "".join(traceback.format_exception_only(what))
    return " ".join(clean(text, LINE).split())


def _visible(text: str) -> str:
    return "".join(
        character if character.isprintable() or character in "\n\t" else character.encode("unicode_escape").decode()
        for character in text
    )
