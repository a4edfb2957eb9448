"""Plug-and-play: annealed steps between a learned denoiser and the measurement."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, field_validator, model_validator

from datasets import Measurement, Variant
from datasets.problem import Problem
from datasets.scaling import times_two_to_the
from datasets.streams import TRAINING_NOISE
from solvers.backend import Backend
from solvers.base import Information, Reconstruction, Refiner, Solver, Streams
from solvers.chunks import in_chunks
from solvers.composed.agreement import agree
from solvers.composed.stages import (
    Start,
    best_of,
    best_of_stages,
    followed,
    numbers_used,
    read_stages,
    together,
    write_stages,
)
from solvers.errors import ParameterError
from solvers.iterative.block import Block, box_block
from solvers.iterative.guess import fitted
from solvers.iterative.noise import pixel_variance
from solvers.learned.base import CHUNK
from solvers.learned.trainable import Trainable, placed_anew

if TYPE_CHECKING:
    from torch import Tensor

    from solvers.learned.photons import PhotonRange
    from solvers.prior.denoiser import Denoiser

TRIED = 0.3  # noise level at which the progress of a training is measured

# Tuned on training images. Noise levels are relative to the noise in a pixel, and to pixels of mean square 1.
FIRST, LAST = 16.0, 1.0  # of the annealing, times the noise in a pixel
HIGHEST, LOWEST = 1.0, 0.1  # limits of the first
TRUST = 8.0  # the measurement counts as if its variance were so many times smaller


class PlugAndPlay(Trainable, Refiner):
    """z = D(x; σ),   x ← w P_M z + (1 − w) z,   w = σ² / (σ² + v / 8),   with σ falling from 16 √v to √v.

    D is a denoiser for every noise level (`denoiser.py`), v the variance of the noise in a pixel of P_M z. The second
    step is the proximal map of the measurement's distance. Its weight would be that of two Gaussian errors, of z and of
    P_M z, with v alone; an eighth of it was better on training images, as were a first σ of at least 0.1 and a last one
    of at least 0.002 and at most 0.1, in units of the root mean square of a pixel.
    The image is the last z, with its negative pixels zero: it does not follow the noise, as x does.

    Source: Venkatakrishnan, Bouman and Wohlberg, "Plug-and-play priors for model based reconstruction" (GlobalSIP
    2013); with falling σ (half-quadratic splitting), Zhang et al., IEEE Trans. Pattern Anal. Mach. Intell. 44, 6360
    (2022); for Fourier magnitudes, Metzler et al., "prDeep" (ICML 2018).

    The noise is told from the measurement: intensities at k and −k are equal but for it. From a start in a wrong
    basin no denoiser returns: every annealing begins from the best of several random starts, and the smallest residual
    at its end decides between several of them. With `agree` there are no more once one finds what the best before it
    has found, to within the noise (`solvers/composed/agreement.py`): easy images need two, hard ones get all.

    Noise is not all that a start can be wrong about. Where much of the centre was not measured, `first` and `last` say
    what to begin and to end with instead: with 5×5 coefficients missing and no noise, 0.6 and 0.02 left training images
    with an error of 0.14, and what is told from the noise with 0.21.
    """

    name: ClassVar[str] = "pnp"
    summary: ClassVar[str] = "plug-and-play: a learned denoiser and the measured magnitudes, in annealed steps"
    folder: ClassVar[Path] = Path(__file__).parent / "weights"

    begin: str = Field(
        "rrr[nonneg=true,iterations=600] + er[nonneg=true,iterations=150]",
        description="labels of the solvers before it, with + between them",
    )
    tries: int = Field(6, ge=1, le=1000, description="starts of these, the best of which is taken on; by residual")
    starts: int = Field(1, ge=1, le=1000, description="starts of all this, at most; chosen by residual")
    agree: bool = Field(
        False, description="no more starts once one finds the same as the best before it, to within the noise"
    )
    steps: int = Field(50, ge=1, le=10_000, description="of the annealing")
    first: float = Field(0.0, ge=0, le=1, description="noise level of the first step; 0: told from the measurement")
    last: float = Field(0.0, ge=0, le=1, description="noise level of the last step, at most the first; 0: told from it")
    tolerance: float = Field(1e-3, ge=0, description="magnitude residual at which an image is finished")

    _begin: Any = PrivateAttr(default=())

    @field_validator("begin")
    @classmethod
    def _canonical(cls, begin: str) -> str:
        return write_stages(read_stages(begin))

    @model_validator(mode="after")
    def _settings_fit(self) -> PlugAndPlay:
        self._begin = read_stages(self.begin)
        if self.first and self.last > self.first:
            raise ValueError(f"last={self.last:g} is above first={self.first:g}: noise levels fall")
        if self.starts > 1 and not self.draws:
            raise ValueError(
                f"starts={self.starts} after '{self.begin}' would all be the same: nothing in it is random"
            )
        if self.agree and self.starts == 1:
            raise ValueError("agree=true needs several starts: one alone has nothing to agree with")
        return self

    @property
    def draws(self) -> bool:  # type: ignore[override]
        """Its first solvers do: the annealing is the same every time."""
        return any(solver.draws for solver in self._begin)

    def model(self, problem: Problem) -> Denoiser:
        """The denoiser, untrained, which is the same for every problem."""
        from solvers.prior.denoiser import Denoiser

        return Denoiser()

    def equivalent(self, variant: Variant) -> tuple[Variant, ...]:
        """All: a prior of images at any place serves every variant."""
        return tuple(Variant)

    def photons(self) -> None:
        return None

    def own_parameters(self) -> dict[str, str]:
        """Those of a subclass: the denoiser does not depend on how it is used."""
        return self._declared_beyond(PlugAndPlay.model_fields)

    def objects(
        self, images: NDArray, indices: NDArray[np.int64], problem: Problem, *, seed: int, epoch: int
    ) -> NDArray:
        """The images anywhere in the field of the denoiser, half of them turned, anew in every epoch."""
        field = self.model(problem).field(problem.frame)
        anywhere = problem.model_copy(update={"variant": Variant.SHIFT_FLIP, "frame": field})
        return placed_anew(images, indices, anywhere, seed=seed, epoch=epoch)

    def lesson(
        self,
        objects: Tensor,
        problem: Problem,
        photons: PhotonRange,
        *,
        indices: NDArray[np.int64],
        seed: int,
        epoch: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The objects with noise, its level (batch,), and the objects, all in the units of the denoiser."""
        import torch

        from solvers.prior import denoiser

        x = denoiser.normalised(objects)
        streams = [np.random.default_rng([seed, epoch, int(index), TRAINING_NOISE]) for index in indices]
        sigma = torch.tensor([denoiser.noise_level(stream.random()) for stream in streams], device=x.device)
        return x + sigma[:, None, None] * _white(streams, x), sigma, x

    def trial(
        self,
        objects: NDArray,
        problem: Problem,
        photons: NDArray[np.float64],
        *,
        indices: NDArray[np.int64],
        seed: int,
    ) -> tuple[Tensor, Tensor]:
        """The objects in the middle of the field with noise of one level, and this level (batch,)."""
        import torch

        from solvers.prior.denoiser import normalised as with_its_norm

        field = self.model(problem).field(problem.frame)
        x = torch.zeros(len(objects), *field)
        x[:, *_middle(field, problem.frame)] = torch.from_numpy(objects)
        x = with_its_norm(x)
        streams = [np.random.default_rng([seed, int(index), TRAINING_NOISE]) for index in indices]
        return x + TRIED * _white(streams, x), torch.full((len(x),), TRIED)

    def information(self) -> Information:
        own = Information(support="box", real=True, nonnegative=True, training_data=self.training_data())
        return together([own, *(solver.information() for solver in self._begin)])

    def parts(self) -> tuple[Solver, ...]:
        return tuple(part for solver in self._begin for part in (solver, *solver.parts()))

    def files(self, problem: Problem | None = None) -> tuple[Path, ...]:
        """Its own weights, and what its first solvers read."""
        return (self.weight_file(problem), *(path for solver in self._begin for path in solver.files(problem)))

    def named_files(self) -> tuple[Path, ...]:
        return (*super().named_files(), *(path for solver in self._begin for path in solver.named_files()))

    def refusal(self, problem: Problem) -> str:
        """Its denoiser was trained on real objects; any frame, grid and mask will do."""
        if problem.phase is not None:
            return f"{self.name} was trained on real objects, not on complex ones"
        if wrong := self.refusal_of_weights(problem):
            return wrong
        return next(filter(None, (solver.refusal(problem) for solver in self._begin)), "")

    def prepare(self, backend: Backend, problem: Problem | None = None) -> None:
        """Load the denoiser.

        Raises:
            UnavailableError: its weights are not there; the message has the command that makes them.
            WeightsError: they are damaged, or made for something else.
        """
        super().prepare(backend, problem)
        for solver in self._begin:
            solver.prepare(backend, problem)
        self._load(problem)

    @property
    def streams_used(self) -> int:
        return self.starts * self._streams_apart

    @property
    def _streams_apart(self) -> int:
        """How many numbers of random streams a start uses up."""
        return self.tries * numbers_used(self._begin)

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        """Reconstruct a batch.

        Raises:
            ParameterError: the objects are complex.
        """
        self._require_real(measurement)
        return self._best_of(measurement, rng, self._start)

    def refine(self, images: NDArray, measurement: Measurement, rng: Streams) -> Reconstruction:
        """As `solve`, but the first start is the annealing of these images."""
        self._require_real(measurement)

        def start(part: Measurement, streams: Streams, number: int) -> Reconstruction:
            return self._start(part, streams, number) if number else self._anneal(images, part, streams)

        return self._best_of(measurement, rng, start)

    def _best_of(self, measurement: Measurement, rng: Streams, start: Start) -> Reconstruction:
        same = partial(agree, threads=self.backend.threads) if self.agree else None
        return best_of(self.starts, measurement, rng, start, self._streams_apart, same=same)

    def _require_real(self, measurement: Measurement) -> None:
        if not measurement.real:
            raise ParameterError(f"{self.name} was given complex objects: it was trained on real ones")

    def _start(self, measurement: Measurement, rng: Streams, number: int) -> Reconstruction:
        begun = best_of_stages(self._begin, self.tries, measurement, rng, before=number * self.tries)
        return followed(begun, measurement, partial(self._anneal, rng=rng))

    def _anneal(self, images: NDArray, measurement: Measurement, rng: Streams) -> Reconstruction:
        """From images (n, m1, m2). One of zeros has diverged."""
        import torch

        if self._model is None:
            raise RuntimeError(f"{self.name}.prepare() was not called before solve()")
        valid = measurement.valid() & measurement.nonnegative

        def annealed(
            rows: NDArray[np.int64], part: Measurement, unit: NDArray[np.int32]
        ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
            supports = part.support if part.support is not None else [None] * len(rows)
            begun = [
                fitted(image, part.object_shape, real=True, support=support)
                for image, support in zip(images[rows], supports, strict=True)
            ]
            narrow = torch.autocast(self.backend.device, torch.bfloat16, enabled=self.precision == "bf16")
            with torch.inference_mode(), narrow:
                return self._annealed(times_two_to_the(np.stack(begun), -unit), part, rng)

        return in_chunks(
            annealed,
            measurement,
            self.backend,
            valid=valid,
            there=valid & images.any(axis=(1, 2)),
            size=CHUNK[self.backend.device],
            tolerance=self.tolerance,
            iterations=self.steps,
            transforms=2 * self._projections() + 1,
            kernel="portable",
        )

    def _projections(self) -> int:
        """How often an annealing projects on the magnitudes."""
        return self.steps

    def _annealed(
        self, images: NDArray, measurement: Measurement, rng: Streams
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Images (B, m1, m2) and their residuals (B,), from images in the box (B, n1, n2), all in normalised units."""
        backend, block, x, unit, variance = self._begun(images, measurement)
        levels, w = map(backend.asarray, schedule(variance, self.steps, self.first, self.last))
        box, inside = measurement.object_shape, 1 if measurement.support is None else block.support
        for sigma, weight in zip(levels, w, strict=True):
            z = self._denoise(x * unit, sigma, box) / unit * inside
            x = weight[:, None, None] * block.project_magnitude(z) + (1 - weight[:, None, None]) * z
        z = block.project_object(self._denoise(x * unit, levels[-1], box)) / unit
        return backend.to_numpy(z), backend.to_numpy(block.residual(z)).astype(np.float64)

    def _begun(
        self, images: NDArray, measurement: Measurement
    ) -> tuple[Backend, Block, Tensor, Tensor, NDArray[np.float64]]:
        """What an annealing begins with, from images in the box (B, n1, n2).

        Returns:
            Where it is computed; the measurement there; the images on the grid (B, m1, m2); the factors (B, 1, 1) that
            bring them to the unit of the denoiser; and in this unit the variance (B,) of the noise in a pixel of P_M.
        """
        import torch

        from solvers.prior.denoiser import NORM

        backend = Backend("torch", self.backend.device, "float32", self.backend.threads)
        mask = None if measurement.whole().all() else measurement.measured
        block = box_block(measurement, backend, real=True, nonnegative=True, mask=mask)
        scale = NORM / np.linalg.norm(images.astype(np.float64), axis=(1, 2))
        variance = pixel_variance(measurement.intensities) * scale**2
        n1, n2 = measurement.object_shape
        x = torch.zeros(block.support.shape, device=backend.device)
        x[:, :n1, :n2] = backend.asarray(images)
        return backend, block, x, backend.asarray(scale.astype(np.float32))[:, None, None], variance

    def _denoise(self, x: Tensor, sigma: Tensor, box: tuple[int, int]) -> Tensor:
        """D of the box of images (B, m1, m2); zero outside."""
        import torch

        field = self._model.field(box)
        inside = _middle(field, box)
        framed = x.new_zeros(len(x), *field)
        framed[:, *inside] = x[:, : box[0], : box[1]]
        z = torch.zeros_like(x)
        z[:, : box[0], : box[1]] = self._model(framed, sigma)[:, *inside]
        return z


def _middle(field: tuple[int, int], box: tuple[int, int]) -> tuple[slice, slice]:
    """Where a box lies in the middle of a field."""
    top, left = ((side - n) // 2 for side, n in zip(field, box, strict=True))
    return slice(top, top + box[0]), slice(left, left + box[1])


def _white(streams: Sequence[np.random.Generator], like: Tensor) -> Tensor:
    """Normal noise for each of these images, from its own stream."""
    import torch

    drawn = np.stack([stream.standard_normal(like.shape[1:], dtype=np.float32) for stream in streams])
    return torch.from_numpy(drawn).to(like)


def schedule(
    variance: NDArray[np.float64], steps: int, begin: float = 0.0, end: float = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Noise levels σ and weights w of the measurement (steps, B), for this noise in a pixel (B,).

    Args:
        begin, end: the first and the last level; 0 for those that fit the noise.
    """
    from solvers.prior.denoiser import SIGMAS

    noise = np.sqrt(variance)
    first, last = np.clip(FIRST * noise, LOWEST, HIGHEST), np.clip(LAST * noise, SIGMAS[0], LOWEST)
    first = np.full_like(noise, begin) if begin else first
    last = np.minimum(np.full_like(noise, end) if end else last, first)
    levels = np.geomspace(first, last, steps)
    return levels.astype(np.float32), (levels**2 / (levels**2 + variance / TRUST)).astype(np.float32)
