"""What a user can ask wrongly of a solver. Every message is one line that names the value and the choices."""

import re


class SolverError(ValueError):
    """A solver cannot be used as asked."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class UnknownSolverError(SolverError):
    """No solver has this name, or a plug-in of this name cannot be used."""


class ParameterError(SolverError):
    """A parameter is unknown or out of range."""


class UnavailableError(SolverError):
    """A device, a package or a weight file that was asked for is not here."""


def printable(text: str) -> str:
    """The text in one line, without the characters by which it could steer a terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "�", " ".join(text.split()))
