"""Training of the learned solvers: `train(config, score)` makes a weight file, and can be killed at any moment.

The state after step s is a function of the configuration alone: order of images, placements and learning rate are
computed from (seed, step), never drawn from a running generator. A checkpoint is therefore only tensors and a step
number, and a training that was killed and resumed gives the same bits as one that was not (on the same machine).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from datasets import ImageSet, Variant, load_images, place, placements
from solvers import checkpoint, machine, weights
from solvers.interruption import Interruption
from solvers.learned import LearnedSolver, Preset
from solvers.muon import Muon, hidden_weights
from solvers.retrieval import intensities

HELD_OUT = 2_000  # the last images of the training set: never trained on, they measure progress
VALIDATION_CHUNK = 50

Score = Callable[[NDArray, NDArray], NDArray]  # (truth (B, n1, n2), reconstruction (B, m1, m2)) -> (B,)


@dataclass(frozen=True)
class TrainingConfig:
    """What decides the result of a training, and where it goes.

    Attributes:
        solver: the learned solver's class.
        images: how many of the training set, from its beginning; 0 takes all but those held out.
        epochs: passes over them; the learning rate falls to zero at the end of the last.
        batch: images in a step, over all devices. On a CPU 32 stay in the cache.
        learning_rate: at its highest, after the warm-up.
        muon_rate: learning rate of the hidden weights, relative to that of the others.
        warm_up: fraction of the steps in which it rises.
        average_over: steps of the moving average of the weights, which is what is validated and kept.
        output: folder of the weights and of the checkpoint.
        resume: go on from the checkpoint in that folder, if there is one.
        accelerator, devices: as Lightning Fabric names them.
        precision: as Fabric names it; `auto` is bf16-mixed where that is fast.
    """

    solver: type[LearnedSolver]
    variant: Variant = Variant.SHIFT_FLIP
    preset: Preset = "default"
    images: int = 0
    epochs: int = 10
    batch: int = 32
    learning_rate: float = 1e-3
    muon_rate: float = 3.0
    weight_decay: float = 0.01
    warm_up: float = 0.05
    average_over: int = 1000
    seed: int = 0
    output: Path = Path("runs/train")
    resume: bool = True
    accelerator: str = "auto"
    devices: int | str = "auto"
    precision: str = "auto"
    checkpoint_seconds: float = 60
    data: ImageSet | None = field(default=None, repr=False)

    @property
    def file(self) -> Path:
        """Where the weights go."""
        return self.output / self.solver.file_name(self.preset, self.variant)

    def identity(self) -> dict[str, Any]:
        """What decides the result: it must agree for a checkpoint to be taken up again."""
        elsewhere = {"solver", "output", "resume", "accelerator", "devices", "checkpoint_seconds", "data"}
        own = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in elsewhere}
        return {"solver": self.solver.name, **own}


@dataclass(frozen=True)
class Progress:
    """Where a training is, after a step.

    Attributes:
        step, steps: done, and to be done in all.
        epochs: done.
        loss: of this step; NaN in the last report, which follows the last step.
        images_per_second: of this step; NaN in the last report.
        validation: the last score measured, NaN before the first.
    """

    step: int
    steps: int
    epochs: float
    loss: float
    images_per_second: float
    validation: float


class TrainingInterrupted(KeyboardInterrupt):
    """SIGTERM or SIGINT came. The checkpoint is written; the same training goes on from it."""


def train(config: TrainingConfig, score: Score, report: Callable[[Progress], None] = lambda progress: None) -> Path:
    """Train, and write the weights with their card. Returns the path of the weights.

    Args:
        score: adjusted relative error of each image, by which progress is measured; it does not steer the training.
        report: called after every step.

    Raises:
        CheckpointError: the checkpoint to resume from is damaged or of another training.
        TrainingInterrupted: the process was asked to end.
    """
    return _Training(config, score, report).run()


class _Training:
    """One training in one process; several GPUs run several of them in step, through Fabric."""

    def __init__(self, config: TrainingConfig, score: Score, report: Callable[[Progress], None]) -> None:
        self.config, self.score, self.report = config, score, report
        self.commit = machine.commit()  # now: the files may be others by the time the training ends
        self.data = config.data or load_images("fashion_mnist", "train")
        self.held_out = min(HELD_OUT, len(self.data) // 10)
        available = len(self.data) - self.held_out
        self.images = min(config.images or available, available)
        self.steps_per_epoch = max(1, self.images // config.batch)
        self.steps = config.epochs * self.steps_per_epoch
        self.checkpoint = config.file.with_suffix(".checkpoint")
        self.step, self.seconds, self.validation = 0, 0.0, math.nan
        self._placed: tuple[int, Tensor] | None = None

        self.fabric = Fabric(accelerator=config.accelerator, devices=config.devices, precision=self.precision)  # type: ignore[arg-type]
        self.fabric.launch()
        torch.manual_seed(config.seed)
        self.model = config.solver.model(config.preset)
        hidden, others = hidden_weights(self.model)
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(hidden, weight_decay=config.weight_decay),
            torch.optim.AdamW(others, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True),
        ]
        self.relative_rates = (config.muon_rate, 1.0)
        self.average = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        if config.resume and self.checkpoint.is_file():
            self._resume()
        self.parallel, *self.steppers = self.fabric.setup(self.model, *self.optimizers)
        self.parallel.mark_forward_method("loss")
        self.average = {name: t.to(self.fabric.device) for name, t in self.average.items()}

    @cached_property
    def precision(self) -> str:
        if self.config.precision != "auto":
            return self.config.precision
        gpu = self.config.accelerator != "cpu" and torch.cuda.is_available()
        return "bf16-mixed" if machine.bf16_is_fast("cuda" if gpu else "cpu") else "32-true"

    def run(self) -> Path:
        with Interruption() as interruption:
            saved = time.monotonic()
            while self.step < self.steps:
                self._timed_step()
                if interruption.asked or time.monotonic() - saved > self.config.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
                if interruption.asked:
                    raise TrainingInterrupted(f"stopped at step {self.step} of {self.steps}: see {self.checkpoint}")
        return self._finish()

    def _timed_step(self) -> None:
        began = time.monotonic()
        loss = self._optimise(self._batch())
        self.step += 1
        elapsed = time.monotonic() - began
        self.seconds += elapsed
        if self.step % self.steps_per_epoch == 0 and self.step < self.steps:
            self.validation = self._validate(self.average)
        self._report(loss, self.config.batch / elapsed)

    def _optimise(self, objects: Tensor) -> float:
        loss = self.parallel.loss(objects)
        self.model.zero_grad()
        self.fabric.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=1.0)
        for stepper, relative in zip(self.steppers, self.relative_rates, strict=True):
            for group in stepper.param_groups:
                group["lr"] = relative * self._learning_rate()
            stepper.step()
        self._update_average()
        return float(loss.detach())

    def _learning_rate(self) -> float:
        """A linear warm-up, then half a cosine down to zero."""
        done = (self.step + 1) / self.steps
        if done < self.config.warm_up:
            return self.config.learning_rate * done / self.config.warm_up
        fallen = (done - self.config.warm_up) / (1 - self.config.warm_up)
        return self.config.learning_rate * (1 + math.cos(math.pi * fallen)) / 2

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of the weights, over fewer steps at first, to forget the random ones."""
        decay = min(1 - 1 / self.config.average_over, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        torch._foreach_lerp_(list(self.average.values()), [state[name] for name in self.average], 1 - decay)

    def _batch(self) -> Tensor:
        """Objects (batch, h, w) of this step: the next of the epoch's permutation, divided between the devices."""
        epoch, position = divmod(self.step, self.steps_per_epoch)
        order = np.random.default_rng([self.config.seed, epoch]).permutation(self.images)
        chosen = order[position * self.config.batch : (position + 1) * self.config.batch]
        mine = torch.from_numpy(chosen[self.fabric.global_rank :: self.fabric.world_size])
        return self._objects(epoch)[mine].to(self.fabric.device).float() / 255

    def _objects(self, epoch: int) -> Tensor:
        """All objects of an epoch (images, h, w), uint8."""
        config = self.config
        epoch = epoch if config.solver.fresh_each_epoch(config.variant) else 0
        if self._placed is None or self._placed[0] != epoch:
            indices = np.arange(self.images)
            tiles = self.data.images[indices]
            objects = config.solver.objects(tiles, indices, config.variant, config.preset, config.seed, epoch)
            self._placed = epoch, torch.from_numpy(objects)
        return self._placed[1]

    @torch.inference_mode()
    def _validate(self, state: dict[str, Tensor]) -> float:
        """Mean score of these weights on the images held out, placed and measured as the benchmark does."""
        model = self.config.solver.model(self.config.preset)
        model.load_state_dict(state)
        model.eval().to(self.fabric.device)
        indices = np.arange(len(self.data) - self.held_out, len(self.data))
        placement = placements(self.config.variant, seed=self.config.seed, split="train", indices=indices)
        truth = place(self.data.tiles(indices), placement)
        scores = []
        for start in range(0, len(truth), VALIDATION_CHUNK):
            chunk = truth[start : start + VALIDATION_CHUNK]
            half = intensities(model.spectrum(torch.from_numpy(chunk).to(self.fabric.device)))
            scores.append(self.score(chunk, model.reconstruct(half).cpu().numpy()))
        return float(np.concatenate(scores).mean())

    def _report(self, loss: float, speed: float) -> None:
        epochs = self.step / self.steps_per_epoch
        self.report(Progress(self.step, self.steps, epochs, loss, speed, self.validation))

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            progress = {"step": self.step, "seconds": self.seconds, "validation": self.validation}
            checkpoint.save(
                self.checkpoint, self.model, self.average, self.optimizers, self.config.identity(), progress
            )

    def _resume(self) -> None:
        identity, progress = checkpoint.read_header(self.checkpoint)
        checkpoint.require_same(self.checkpoint, identity, self.config.identity())
        checkpoint.restore(self.checkpoint, self.model, self.average, self.optimizers)
        self.step, self.seconds, self.validation = progress["step"], progress["seconds"], progress["validation"]

    def _finish(self) -> Path:
        """Validate the weights as they will be read back, in half precision, and write them."""
        kept = {name: t.to(torch.float16).to(torch.float32) for name, t in self.average.items()}
        self.validation = self._validate(kept)
        self._report(math.nan, math.nan)
        if self.fabric.is_global_zero:
            weights.save(self.config.file, kept, self._card())
            self.checkpoint.unlink(missing_ok=True)
        return self.config.file

    def _card(self) -> weights.Card:
        config = self.config
        return weights.Card(
            solver=config.solver.name,
            preset=config.preset,
            variants=tuple(config.solver.equivalent(config.variant)),
            architecture=asdict(self.model.architecture),
            sha256="",
            commit=self.commit,
            dataset=self.data.name,
            split=self.data.split,
            data_sha256=self.data.digest,
            images=self.images,
            validation_images=self.held_out,
            seed=config.seed,
            epochs=config.epochs,
            batch=config.batch,
            learning_rate=config.learning_rate,
            seconds=round(self.seconds, 1),
            machine=machine.describe(self.fabric.device, self.fabric.world_size),
            precision=self.precision,
            validation_mse=round(self.validation, 5),
        )
