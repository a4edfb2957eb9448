"""The solvers of phasebench, one a file: how an image is recovered.

A solver sees a measurement, never the truth. Training sees images, and is handed a score to validate with.
"""

from solvers.backend import Backend, select_backend
from solvers.base import FilePath, Information, Reconstruction, Refiner, Solver, Status, Streams
from solvers.errors import ParameterError, SolverError, UnavailableError, UnknownSolverError
from solvers.iterative.solver import IterativeSolver
from solvers.iterative.state import Snapshot
from solvers.projection.base import ProjectionSolver
from solvers.registry import create
from solvers.single_image import SingleImageSolver

__all__ = [
    "Backend",
    "FilePath",
    "Information",
    "IterativeSolver",
    "ParameterError",
    "ProjectionSolver",
    "Reconstruction",
    "Refiner",
    "SingleImageSolver",
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
