"""The request of a training: validated as a whole before anything is computed or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from datasets import ImageSet, Variant
from datasets.problem import Problem, Size, read_size
from datasets.refusals import of_value
from solvers.errors import ParameterError
from solvers.learned.photons import PhotonRange
from solvers.learned.trainable import Trainable
from solvers.learned.weights import card_path

HELD_OUT = 2_000  # the last images of the training set, at most: never trained on, they measure progress


class TrainingConfig(BaseModel):
    """What decides the result of a training, where it goes, and what computes it.

    Attributes:
        solver: the one whose network is trained, with its parameters.
        frame, grid: of the problem, as `Problem` has them; None is what is usual for the images.
        images: how many of the training set, from its beginning; 0 takes all but those held out.
        epochs: passes over them; the learning rate falls to zero at the end of the last.
        batch: images in a step, over all devices. On a CPU 32 stay in the cache.
        learning_rate: at its highest, after the warm-up.
        photons: expected in all of a pattern with Poisson noise, drawn anew for each image in each epoch, evenly in the
            logarithm; None is what the preset is made for.
        deform: deform the images, anew in every epoch, so that the network does not learn them by heart.
        start_from: weights to begin with instead of random ones. Inputs that they do not know begin without effect.
        output: folder of the weights, the checkpoint and the history.
        resume: go on from the checkpoint in that folder, if there is one.
        overwrite: replace the weights that lie there.
        accelerator: `auto` is a GPU where torch finds one.
        devices: how many GPUs; None takes all there are, or as many as can share a batch evenly.
        threads: of a training on the CPU; 0 takes every processor.
        precision: as Lightning Fabric names it; `auto` is bf16-mixed where that is fast.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    solver: Trainable
    variant: Variant = Variant.SHIFT_FLIP
    frame: Size | None = None
    grid: Size | None = None
    images: int = Field(0, ge=0)
    epochs: int = Field(10, ge=1, le=100_000)
    batch: int = Field(32, ge=1)
    learning_rate: float = Field(1e-3, gt=0, le=1e6, allow_inf_nan=False)
    seed: int = Field(0, ge=0, lt=2**63)
    photons: PhotonRange | None = None
    deform: bool = False
    start_from: Path | None = None
    output: Path = Path("runs/train")
    resume: bool = True
    overwrite: bool = False
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int | None = Field(None, ge=1)
    threads: int = Field(0, ge=0, le=1024)
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"

    @field_validator("devices", mode="before")
    @classmethod
    def _all_or_a_number(cls, value: Any) -> Any:
        if value == "auto":
            return None
        if isinstance(value, str) and not value.lstrip("-").isdecimal():
            raise ValueError(f"must be auto, or how many, got '{value}'")
        return value

    @field_validator("frame", "grid", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        return None if value is None else read_size(value)

    @field_validator("photons", mode="before")
    @classmethod
    def _photons(cls, value: Any, info: ValidationInfo) -> PhotonRange | None:
        if value is None:
            return None
        solver = info.data.get("solver")
        if solver is not None and solver.photons() is None:
            raise ValueError(f"{solver.name} learns from no patterns, so that there are no photons to choose")
        return PhotonRange.read(value)

    @property
    def noise(self) -> PhotonRange:
        """The photons that are trained with."""
        return self.photons or PhotonRange.read(self.solver.photons() or "none")

    def problem(self, data: ImageSet) -> Problem:
        """What is to be recovered from what, without its noise.

        Raises:
            ParameterError: these images make no such problem.
        """
        try:
            problem = Problem(
                dataset=data.name,
                split=data.split,
                variant=self.variant,
                frame=self.frame or data.frame,
                grid=self.grid or data.grid,
            )
            problem.check(data)
        except ValidationError as error:
            raise ParameterError(of_value(error, Problem).reason) from error
        except ValueError as error:
            raise ParameterError(str(error)) from error
        return problem

    @property
    def name(self) -> str:
        """Of the training in its folder, which may hold others: of solver, preset and variant."""
        return self.file.stem

    @property
    def file(self) -> Path:
        """Where the weights go."""
        return self.output / self.solver.file_name(self.variant)

    @property
    def checkpoint(self) -> Path:
        return self.file.with_suffix(".checkpoint")

    @property
    def history(self) -> Path:
        return self.file.with_suffix(".history.csv")

    def counts(self, data: ImageSet) -> tuple[int, int]:
        """How many of these images are trained on, and how many are held out.

        Raises:
            ParameterError: there are fewer than two, or fewer than are asked for, or more in a step than in all.
        """
        if len(data) < 2:
            raise ParameterError(f"one image is trained on and another one held out: there is 1 ({data.source})")
        held_out = max(1, min(HELD_OUT, len(data) // 10))
        available = len(data) - held_out
        if self.images > available:
            raise ParameterError(
                f"--images {self.images}: there are {available} beside the {held_out} held out ({data.source})"
            )
        images = self.images or available
        if self.batch > images:
            raise ParameterError(f"--batch {self.batch}: a step has at most the {images} images that are trained on")
        return images, held_out

    def require_room(self) -> None:
        """Refuse a folder in which something else than a file has the name of what is going to be written.

        Raises:
            ParameterError: the message names it.
        """
        for path in (self.file, card_path(self.file), self.checkpoint, self.history):
            if path.exists() and not path.is_file():
                raise ParameterError(f"{path} is in the way: it is not a regular file")
