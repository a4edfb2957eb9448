"""The Solver interface: how every method, iterative or learned, is configured, prepared and called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, PrivateAttr

from datasets import Measurement
from datasets.labelled import Labelled
from datasets.problem import Problem
from datasets.streams import START
from solvers.backend import PRECISIONS, Backend


class Status(StrEnum):
    """How a solver left an image."""

    SOLVED = "solved"  # the magnitude residual reached the tolerance
    STOPPED = "stopped"  # the budget is used up, or the method has a single pass
    DIVERGED = "diverged"  # the image is not finite, or its precision does not hold it: it is zero, its residual NaN
    INVALID = "invalid"  # not finite, negative or all zero intensities, or an object without a property to be used


@dataclass(frozen=True)
class Information:
    """What a solver uses besides the intensities, where the measurement offers it.

    A comparison is only fair when this is said.
    """

    support: str = "none"
    real: bool = False
    nonnegative: bool = False
    training_data: str = "none"
    phases: bool = False
    untrained: bool = False  # the architecture of a network as a prior

    def __str__(self) -> str:
        words = [f"support: {self.support}"] if self.support != "none" else []
        words += ["real"] if self.real else []
        words += ["nonnegative"] if self.nonnegative else []
        words += ["phases in a range"] if self.phases else []
        words += [f"trained on {self.training_data}"] if self.training_data != "none" else []
        words += ["untrained network"] if self.untrained else []
        return ", ".join(words) or "nothing"

    def on(self, measurement: Measurement) -> Information:
        """What of this a measurement offers: a mask takes the place of the box, and no complex object is real."""
        given = measurement.support is not None and self.support != "none"
        return replace(
            self,
            support=self.support if not given else "mask" if self.support == "box" else f"{self.support} in a mask",
            real=self.real and measurement.real,
            nonnegative=self.nonnegative and bool(measurement.nonnegative.any()),
            phases=self.phases and not (self.real and measurement.real),
        )


@dataclass(frozen=True)
class Streams:
    """Random numbers for the starts of a run, keyed by (seed, image, start) alone.

    An image therefore starts from the same point whatever batch, order, process or array library it is solved in.
    """

    seed: int = 0
    first: int = 0  # number of the first start, where a solver does a part of the starts of another one

    def generator(self, index: int, start: int = 0) -> np.random.Generator:
        """The stream of the image with this index in its data set, for its start number `start`."""
        return np.random.default_rng([self.seed, int(index), self.first + start, START])


@dataclass(frozen=True)
class Reconstruction:
    """What a solver gives back for a batch. All arrays are on the host.

    Attributes:
        images: (batch, m1, m2), real or complex; defined up to shift, conjugate flip and global phase.
        residual: (batch,) ‖|FX| − √Y‖ / ‖√Y‖ of these images, over what was measured. Of objects that a solver takes
            for real ones Y is the mean of Y[k] and Y[−k] (`solvers/residual.py`).
        iterations: (batch,) iterations spent on an image, all its starts together.
        starts: (batch,) starts used.
        transforms: (batch,) Fourier transforms of a whole image spent: a cost that knows no hardware.
        status: (batch,) how each image was left.
        kernel: what did the iterations: "compiled" for the CPU, "cuda" (a start in one launch), "cufft", or "portable"
            for the functions of the array library. Empty where there were none.
    """

    images: NDArray
    residual: NDArray[np.float64]
    iterations: NDArray[np.int64]
    starts: NDArray[np.int64]
    transforms: NDArray[np.int64]
    status: list[Status]
    kernel: str = ""


def _regular(path: Path) -> Path:
    """Refuse what could be read for ever, or never: a pipe, a device, a folder. A file may come to be there later."""
    try:
        if path.exists() and not path.is_file():
            raise ValueError("this is not a regular file")
    except OSError as error:
        raise ValueError(f"this file cannot be read: {error.strerror}") from error
    return path


_FILE = AfterValidator(_regular)
FilePath = Annotated[Path, _FILE]


class Solver(Labelled, ABC):
    """A method with its parameters. Parameters are fixed and validated when the solver is made.

    A solver is a file with one subclass: it sets `name` and `summary`, declares its parameters as fields, and
    implements `information`, `solve` and, where there is something to set up, `prepare`. It sees a
    `Measurement` and nothing else.

    A parameter that names a file has the type `FilePath` (or `FilePath | None`). Results then depend on the content of
    that file, wherever it lies; text in a field of any other type is only text.
    """

    draws: ClassVar[bool] = True  # random numbers: a second start then differs from the first
    precisions: ClassVar[tuple[str, ...]] = PRECISIONS  # that it computes in
    _instead: ClassVar[str] = (
        "what changes from step to step is the state of a solvers.IterativeSolver (begin, advance), and what prepare() "
        "sets up has a name that begins with _"
    )

    _backend: Backend | None = PrivateAttr(default=None)

    @abstractmethod
    def information(self) -> Information:
        """What this solver uses besides the intensities, with its present parameters."""

    def refusal(self, problem: Problem) -> str:
        """Why this solver is not made for a problem, in one line; empty where it can be tried."""
        return ""

    def refusal_of(self, backend: Backend) -> str:
        """Why it, or a solver that it is made of, does not compute as a backend says; empty where all of them do."""
        for one in (self, *self.parts()):
            if backend.precision not in one.precisions:
                return f"{one.name} computes in {' or '.join(one.precisions)}, not in {backend.precision}"
        return ""

    def remark(self, backend: Backend) -> str:
        """What to know of how it computes there, such as that it will be slow; empty where there is nothing."""
        return ""

    def remarks(self, backend: Backend) -> list[str]:
        """Its remark, and those of the solvers that it is made of, each once."""
        return list(dict.fromkeys(filter(None, (one.remark(backend) for one in (self, *self.parts())))))

    def prepare(self, backend: Backend, problem: Problem | None = None) -> None:
        """Load weights, build plans: all that is timed as setup. Called once before `solve`.

        Args:
            backend: where to compute.
            problem: what is to be recovered from what, which says nothing of a single image; a learned solver takes
                the weights trained on it. `Problem()` if absent.

        Raises:
            UnavailableError: something that this solver needs is not here.
        """
        self._backend = backend

    def files(self, problem: Problem | None = None) -> tuple[Path, ...]:
        """Files that decide the result on this problem: results are kept for as long as they are the same.

        Three kinds need not be named: the code, the other files of the solver's package, and what parameters of the
        type `FilePath` name.
        """
        return ()

    def named_files(self) -> tuple[Path, ...]:
        """The files that parameters of the type `FilePath` name."""
        named = [
            getattr(self, name)
            for name, field in type(self).model_fields.items()
            if _FILE in field.metadata or _holds_file(field.annotation)
        ]
        return tuple(path for path in named if path is not None)

    def parts(self) -> tuple[Solver, ...]:
        """The solvers that this one is made of: their code, too, decides its results."""
        return ()

    @property
    def streams_used(self) -> int:
        """How many numbers of random streams it uses up: one for each start."""
        return getattr(self, "starts", 1)

    @abstractmethod
    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        """Reconstruct every image of the batch; the result of an image does not depend on the others."""

    @property
    def backend(self) -> Backend:
        if self._backend is None:
            raise RuntimeError(f"{self.name}.prepare() was not called before solve()")
        return self._backend

    def weights_digest(self) -> str:
        """SHA-256 of the trained weights in use; empty for a method that has none."""
        return ""


class Refiner(Solver):
    """A solver that can begin where another one has ended."""

    @abstractmethod
    def refine(self, images: NDArray, measurement: Measurement, rng: Streams) -> Reconstruction:
        """As `solve`, but the first start begins from these images (batch, m1, m2), in the units of a reconstruction.

        They may lie anywhere on the periodic grid.
        """


def _holds_file(annotation: Any) -> bool:
    """Whether `FilePath` is among the alternatives of a type."""
    return _FILE in getattr(annotation, "__metadata__", ()) or any(map(_holds_file, get_args(annotation)))
