"""Exit statuses of the command line, and the exceptions that carry them."""

from __future__ import annotations

import traceback
from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """What a shell script can rely on."""

    FINE = 0
    REGRESSION = 1
    USAGE = 2  # bad usage or bad input
    SOLVER = 3  # a solver failed or was missing
    NOTHING = 4  # nothing comparable
    BUG = 70  # our own mistake: EX_SOFTWARE of sysexits.h, so that none of the others can be confused with it
    STOPPED = 130  # what a shell makes of SIGINT


class RequestError(ValueError):
    """What the user asked for cannot be done; the message is one line that names the value and the choices."""

    status: ClassVar[Exit] = Exit.USAGE


class NothingComparableError(RequestError):
    """Two results have no measurement, or no solver, in common."""

    status = Exit.NOTHING


def one_line(failure: BaseException) -> str:
    """An exception's class and message, without line breaks."""
    return " ".join("".join(traceback.format_exception_only(failure)).split())
