"""What a user can ask wrongly of a solver. Every message is one line that names the value and the choices."""


class SolverError(ValueError):
    """A solver cannot be used as asked."""


class UnknownSolverError(SolverError):
    """No solver has this name."""


class ParameterError(SolverError):
    """A parameter is unknown or out of range."""


class UnavailableError(SolverError):
    """A device, a package or a weight file that was asked for is not here."""
