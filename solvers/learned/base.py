"""What learned solvers share: what they are trained on, and one pass through a network."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from datasets import Measurement, measure
from datasets.forward import half_plane
from datasets.photons import estimate_photons
from datasets.problem import COLUMNS, Problem
from solvers.backend import Backend
from solvers.base import Information, Reconstruction, Streams
from solvers.chunks import in_chunks
from solvers.errors import ParameterError, UnavailableError
from solvers.learned import weights as weight_files
from solvers.learned.trainable import Trainable
from solvers.residual import magnitude_residual

if TYPE_CHECKING:
    from torch import Tensor

    from solvers.learned.network import Network
    from solvers.learned.pairs import Pairs
    from solvers.learned.photons import PhotonRange

# Images in one pass. On a CPU 16 would be as fast, but an image by itself takes as long as these.
CHUNK = {"cpu": 8, "cuda": 256}


class LearnedSolver(Trainable):
    """A trained network, applied once. It runs in torch, on the device of the backend, whatever the array library.

    A learned solver is a file with one subclass: it sets `name` and `summary`, declares its parameters as fields, and
    implements `model`. `bench train` then trains it. What it is to predict can be changed by `objects`: without that,
    the images as they are placed. It reconstructs real objects from whole patterns; several threads use its network.
    """

    nonneg: bool = Field(False, description="use that the object is nonnegative: negative pixels become zero")

    transforms_per_image: ClassVar[int] = 0
    draws: ClassVar[bool] = False

    @abstractmethod
    def model(self, problem: Problem) -> Network:
        """The untrained network for a problem, of whose frame and grid its shapes may depend.

        Raises:
            ParameterError: there is none for such a problem.
        """

    def lesson(
        self,
        objects: Tensor,
        problem: Problem,
        photons: PhotonRange,
        *,
        indices: NDArray[np.int64],
        seed: int,
        epoch: int,
    ) -> Pairs:
        """Their patterns, the photons in these, and the objects in the units of the patterns."""
        from solvers.learned.pairs import observe

        return observe(objects, problem.grid, photons, indices=indices, seed=seed, epoch=epoch)

    def trial(
        self,
        objects: NDArray,
        problem: Problem,
        photons: NDArray[np.float64],
        *,
        indices: NDArray[np.int64],
        seed: int,
    ) -> tuple[Tensor, ...]:
        """Their patterns, measured as the benchmark does, and the photons that these tell."""
        measured = measure(
            objects,
            indices=indices,
            grid=problem.grid,
            photons=photons if np.isfinite(photons).all() else None,
            seed=seed,
            split=problem.split,
        )
        return seen(measured.intensities)

    def own_parameters(self) -> dict[str, str]:
        return self._declared_beyond(LearnedSolver.model_fields)

    def information(self) -> Information:
        return Information(real=True, nonnegative=self.nonneg, training_data=self.training_data())

    def files(self, problem: Problem | None = None) -> tuple[Path, ...]:
        """The weights for the variant of this problem."""
        return (self.weight_file(problem),)

    def refusal(self, problem: Problem) -> str:
        """It was trained on whole patterns of real objects, in a frame and on a grid that its card names."""
        if wrong := self.refusal_of_weights(problem):
            return wrong
        trained = problem.model_copy(update={"object": "real", "mask": "none"})
        with contextlib.suppress(weight_files.WeightsError):
            known = weight_files.read_card(*self.files(problem)).problem()
            trained = trained.model_copy(update={"frame": known.frame, "grid": known.grid})
        other = tuple(name for name in COLUMNS if getattr(problem, name) != getattr(trained, name))
        return f"{self.name} was trained on {trained.words(other)}, not on {problem.words(other)}" if other else ""

    def prepare(self, backend: Backend, problem: Problem | None = None) -> None:
        """Load the weights for the variant of this problem.

        Raises:
            UnavailableError: there are none for this preset and variant; the message has the command that makes them.
            WeightsError: they are damaged, or made for something else.
        """
        super().prepare(backend, problem)
        self._load(problem)

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        """One pass; nothing in it is random, so `rng` is not used.

        An image is zero where the measurement is invalid, and where the network's answer is not finite, or not in the
        range of float32 in the unit of the measurement. With `nonneg`, an object that is not known to be nonnegative
        is left out: its status is INVALID.

        Raises:
            UnavailableError: the measurement is of a complex object, or on another grid than the network's.
        """
        if self._model is None or self._card is None:
            raise RuntimeError(f"{self.name}.prepare() was not called before solve()")
        trained = self._card.problem()
        if measurement.grid != trained.grid:
            raise UnavailableError(f"{self.name} was trained on a grid of {trained.grid}, not {measurement.grid}")
        if not measurement.real:
            raise UnavailableError(f"{self.name} was trained on real objects: it cannot reconstruct complex ones")
        valid = measurement.valid() & measurement.whole()
        if self.nonneg:
            valid &= measurement.nonnegative
        return in_chunks(
            self._passed,
            measurement,
            self.backend,
            valid=valid,
            there=valid,
            size=CHUNK[self.backend.device],
            tolerance=None,
            iterations=1,
            transforms=self.transforms_per_image,
            kernel="",
            fill=False,
        )

    def _passed(
        self, rows: NDArray[np.int64], measurement: Measurement, unit: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Images (B, m1, m2) and their residuals (B,), in normalised units."""
        import torch

        scale = measurement.intensities.max(axis=(1, 2), keepdims=True)
        filled = torch.arange(CHUNK[self.backend.device]) % len(rows)  # so that no image depends on how many there are
        half, photons = (t[filled].to(self.backend.device) for t in seen(measurement.intensities))
        narrow = torch.autocast(self.backend.device, torch.bfloat16, enabled=self.precision == "bf16")
        with torch.inference_mode(), narrow:  # leaves Fourier transforms and what the network answers in float32
            drawn = self._model.reconstruct(half, photons)
            drawn = (self._model.project(drawn) if self.nonneg else drawn).float().cpu().numpy()
        if drawn.shape != (len(half), *measurement.grid):
            raise ParameterError(
                f"the network of {self.name} answers with images {drawn.shape}: they must have the shape of the grid, "
                f"{(len(half), *measurement.grid)}"
            )
        images = drawn[: len(rows)] * np.sqrt(scale).astype(np.float32)
        with np.errstate(invalid="ignore"):  # of an answer that is not finite
            return images, magnitude_residual(images, measurement.intensities, real=measurement.real)


def seen(intensities: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    """What a network sees of whole patterns (B, m1, m2): their half planes (B, m1, m2 // 2 + 1), in which the brightest
    intensity of the whole is 1, and the photons (B,) in each as its noise tells them, both in float32."""
    import torch

    half = half_plane(intensities) / intensities.max(axis=(1, 2), keepdims=True)
    return torch.from_numpy(half).float(), torch.from_numpy(estimate_photons(intensities)).float()
