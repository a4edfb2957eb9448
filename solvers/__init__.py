"""How an image is recovered: one solver, one file. Nothing in this package knows the truth or a score."""

from solvers.backend import Backend, select_backend
from solvers.base import FilePath, Information, Reconstruction, Solver, Status, Streams
from solvers.errors import ParameterError, SolverError, UnavailableError, UnknownSolverError
from solvers.iterative import IterativeSolver, Snapshot
from solvers.projection import ProjectionSolver
from solvers.registry import create

__all__ = [
    "Backend",
    "FilePath",
    "Information",
    "IterativeSolver",
    "ParameterError",
    "ProjectionSolver",
    "Reconstruction",
    "Snapshot",
    "Solver",
    "SolverError",
    "Status",
    "Streams",
    "UnavailableError",
    "UnknownSolverError",
    "create",
    "select_backend",
]
