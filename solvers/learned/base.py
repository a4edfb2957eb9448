"""What the two learned solvers share: their parameters, their weights, and one pass through the network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from datasets import Measurement, Variant
from datasets.forward import half_plane
from datasets.problem import COLUMNS, Problem
from datasets.variants import FRAME, GRID
from solvers.backend import Backend
from solvers.base import FilePath, Information, Reconstruction, Solver, Status, Streams
from solvers.errors import UnavailableError
from solvers.iterative.units import in_units, normalised
from solvers.learned import weights as weight_files
from solvers.learned.trainable import Preset, Trainable

# Images in one pass; the last chunk is filled up, so that no image's result depends on its neighbours. On a CPU 16 are
# fastest, whose activations stay in the cache, and an image by itself costs no more than these.
CHUNK = {"cpu": 16, "cuda": 256}


class LearnedSolver(Trainable, Solver):
    """A trained network, applied once. It runs in torch, on the device of the backend, whatever the array library."""

    preset: Preset = Field("default", description="default: the best known; paper: as the paper describes it")
    weights: FilePath | None = Field(
        None, description="weight file (.safetensors) to use instead of the one in this package"
    )
    precision: Literal["float32", "bf16"] = Field(
        "float32", description="of the network's layers; bf16 is faster where the processor has instructions for it"
    )

    transforms_per_image: ClassVar[int]
    draws: ClassVar[bool] = False

    _model: Any = PrivateAttr(default=None)
    _card: weight_files.Card | None = PrivateAttr(default=None)

    def information(self) -> Information:
        return Information(real=True, training_data="fashion_mnist")

    def weights_digest(self) -> str:
        return self._card.sha256 if self._card else ""

    def files(self, variant: str | None = None) -> tuple[Path, ...]:
        """The weights of this variant (of the hardest, shift_flip, if none is named)."""
        chosen = Variant(variant) if variant else Variant.SHIFT_FLIP
        return (self.weights or weight_files.FOLDER / self.file_name(self.preset, chosen),)

    def refusal(self, problem: Problem) -> str:
        """It was trained on whole patterns of real objects in the paper's frame, on its grid."""
        trained = problem.model_copy(update={"object": "real", "frame": FRAME, "grid": GRID, "mask": "none"})
        other = tuple(name for name in COLUMNS if getattr(problem, name) != getattr(trained, name))
        return f"{self.name} was trained on {trained.words(other)}, not on {problem.words(other)}" if other else ""

    def prepare(self, backend: Backend, variant: str | None = None) -> None:
        """Load the weights of this variant (of the hardest, shift_flip, if none is named).

        Raises:
            UnavailableError: there are none for this preset and variant; the message has the command that makes them.
            WeightsError: they are damaged, or made for something else.
        """
        super().prepare(backend, variant)
        chosen = Variant(variant) if variant else Variant.SHIFT_FLIP
        (path,) = self.files(variant)
        if not path.exists():
            raise UnavailableError(
                f"{self.name} has no weights {path}: train them with "
                f"python -m bench train --solver {self.name} --variant {chosen} --preset {self.preset} "
                f"--output {path.parent}"
            )
        model = self.model(self.preset)
        tensors, card = weight_files.load(
            path, solver=self.name, preset=self.preset, variant=chosen, architecture=asdict(model.architecture)
        )
        weight_files.fill(model, tensors, path)
        self._card = card
        self._model = model.eval().to(backend.device)

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        """One pass; nothing in it is random, so `rng` is not used.

        An image is zero where the measurement is invalid, and where the network's answer is not finite, or not in the
        range of float32 in the unit of the measurement.

        Raises:
            UnavailableError: the measurement is of a complex object, or on another grid than the network's.
        """
        import torch

        if self._model is None:
            raise RuntimeError(f"{self.name}.prepare() was not called before solve()")
        if measurement.grid != self._model.grid:
            raise UnavailableError(f"{self.name} was trained on a grid of {self._model.grid}, not {measurement.grid}")
        if not measurement.real:
            raise UnavailableError(f"{self.name} was trained on real objects: it cannot reconstruct complex ones")
        valid = measurement.valid() & measurement.whole()
        images = np.zeros((len(measurement), *measurement.grid), dtype=np.float32)
        residual = np.full(len(measurement), np.nan)
        status = [Status.STOPPED if ok else Status.INVALID for ok in valid]
        with torch.inference_mode(), torch_threads(self.backend.threads):
            size = CHUNK[self.backend.device]
            for chunk in np.split(np.flatnonzero(valid), range(size, int(valid.sum()), size)):
                unit, part = normalised(measurement[chunk])
                drawn = self._reconstruct(part.intensities)
                images[chunk], right = in_units(drawn, unit)
                residual[chunk[right]] = _residual(drawn[right], part.intensities[right])
                for lost in chunk[~right]:
                    status[lost] = Status.DIVERGED
        once = valid.astype(np.int64)
        return Reconstruction(
            images=images,
            residual=residual,
            iterations=once,
            starts=once,
            transforms=self.transforms_per_image * once,
            status=status,
        )

    def _reconstruct(self, intensities: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n, m1, m2) for up to a chunk of normalised measurements. The network sees the brightest intensity as 1."""
        import torch

        scale = intensities.max(axis=(1, 2), keepdims=True)
        mean = half_plane(intensities) / scale
        half = np.ones((CHUNK[self.backend.device], *mean.shape[1:]), dtype=np.float32)
        half[: len(mean)] = mean
        narrow = torch.autocast(self.backend.device, torch.bfloat16, enabled=self.precision == "bf16")
        with narrow:  # which leaves Fourier transforms and what the network answers in float32
            images = self._model.reconstruct(torch.from_numpy(half).to(self.backend.device)).cpu().numpy()
        return images[: len(intensities)] * np.sqrt(scale).astype(np.float32)


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """This many threads for each operation of the network."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _residual(images: NDArray[np.float32], intensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """‖|FX| − √Y‖ / ‖√Y‖ (n,) by its definition, in float64 and over the whole plane."""
    magnitudes = np.sqrt(intensities)
    difference = np.abs(scipy.fft.fft2(images.astype(np.float64))) - magnitudes
    return np.linalg.norm(difference, axis=(1, 2)) / np.linalg.norm(magnitudes, axis=(1, 2))
