"""Exit statuses of the command line, and the exception for a bad request."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a shell script can rely on."""

    FINE = 0
    REGRESSION = 1
    USAGE = 2  # bad usage or bad input
    SOLVER = 3  # a solver failed or was missing
    NOTHING = 4  # nothing comparable


class RequestError(ValueError):
    """What the user asked for cannot be done; the message is one line that names the value and the choices."""
