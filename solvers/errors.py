"""What a user can ask wrongly of a solver. Every message is one line that names the value and the choices."""

from datasets.errors import printable as printable


class SolverError(ValueError):
    """A solver cannot be used as asked."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class UnknownSolverError(SolverError):
    """No solver has this name, or a plug-in of this name cannot be used."""


class BrokenPluginError(UnknownSolverError):
    """The code of a plug-in raised an error, or answered with something else than it must."""


class ParameterError(SolverError):
    """A parameter is unknown or out of range."""


class UnavailableError(SolverError):
    """A device, a package or a weight file that was asked for is not here."""
