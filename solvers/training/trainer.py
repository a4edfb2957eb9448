"""Training of the learned solvers: `train(config, score)` makes a weight file, and can be killed at any moment.

The state after step s is a function of the configuration alone: order of images, placements and learning rate are
computed from (seed, step), never drawn from a running generator. A checkpoint is therefore only tensors and a step
number, and a training that was killed and resumed gives the same bits as one that was not (on the same machine).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from datasets import ImageSet
from datasets.problem import show_size
from solvers.backend import bf16_is_fast, processors, torch_threads
from solvers.checkout import commit
from solvers.errors import SolverError, UnavailableError
from solvers.learned import weights
from solvers.learned.network import Learner
from solvers.training import checkpoint, machine
from solvers.training.config import TrainingConfig
from solvers.training.history import History, Step
from solvers.training.interruption import Interruption
from solvers.training.lessons import Lesson, Lessons
from solvers.training.muon import Muon, hidden_weights

MUON_RATE = 3.0  # learning rate of the hidden weights, relative to that of the others
WEIGHT_DECAY = 0.01
WARM_UP = 0.05  # fraction of the steps in which the learning rate rises
AVERAGE_OVER = 1000  # steps of the moving average of the weights, which is what is validated and kept
CHECKPOINT_SECONDS = 60
LESSON_PROCESSES = 8  # beside a GPU, at most
MILESTONES = 10  # epochs after which progress is measured, at most
VALIDATION_CHUNK = 50

Score = Callable[[NDArray, NDArray], NDArray]  # (truth (B, n1, n2), reconstruction (B, m1, m2)) -> (B,)


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


class WeightsInTheWayError(SolverError):
    """Where the weights are to go there are others; the message says which, and what to do."""


class DivergedError(SolverError):
    """The loss, or what was learned, is no longer finite. Nothing is written."""


class TrainingInterrupted(KeyboardInterrupt):
    """SIGTERM, SIGINT or SIGHUP came. The checkpoint is written; the same training goes on from it."""


def train(
    config: TrainingConfig, data: ImageSet, score: Score, report: Callable[[Progress], None] = lambda progress: None
) -> Path:
    """Train, and write the weights with their card. Returns the path of the weights.

    Where this very training was finished before, nothing is done. Its folder is made if need be.

    Args:
        data: the training images.
        score: adjusted relative error of each image, by which progress is measured; it does not steer the training.
        report: called after every step.

    Raises:
        ParameterError: there are not as many images.
        UnavailableError: there is no such device.
        WeightsInTheWayError: other weights would be replaced.
        CheckpointError: the checkpoint to resume from is damaged or of another training.
        DivergedError: the training diverged.
        TrainingInterrupted: the process was asked to end.
    """
    finished = find_finished(config, data)
    if finished is not None:
        return finished
    with torch_threads(config.threads or processors()):
        return _Training(config, data, score, report).run()


def find_finished(config: TrainingConfig, data: ImageSet) -> Path | None:
    """The weights of this very training, if it was finished before; None if nothing lies there that must be kept.

    Raises:
        ParameterError, UnavailableError: as `train` does.
        WeightsInTheWayError: other weights lie there, or damaged ones, or some without a card.
    """
    config.require_room()
    device(config)
    asked = identity(config, data, config.solver.model(config.problem(data)))
    if config.overwrite or not config.file.exists():
        return None
    remedy = "replace them with --overwrite, or choose another --output"
    try:
        card = weights.read_card(config.file)
        weights.read_whole(config.file, card)
    except weights.WeightsError as error:
        raise WeightsInTheWayError(f"{config.file} is there already, but {error}: {remedy}") from error
    theirs = asdict(card) | {"variants": list(card.variants)}
    differing = weights.differences({key: theirs[key] for key in asked}, asked)
    if differing:
        raise WeightsInTheWayError(f"{config.file} holds the weights of another training ({differing}): {remedy}")
    return config.file


def resumable_step(config: TrainingConfig, data: ImageSet) -> int | None:
    """The step after which this training would go on, if its checkpoint is asked for; None where there is none."""
    try:
        asked = identity(config, data, config.solver.model(config.problem(data)))
        return checkpoint.read_progress(config.checkpoint, asked)["step"]
    except checkpoint.CheckpointError:
        return None


def identity(config: TrainingConfig, data: ImageSet, model: Learner) -> dict[str, Any]:
    """What decides the result, as a card's JSON has it: weights and checkpoints of this training agree in it.

    The code is not among it: weights are not trained again because a line of it has changed.

    Raises:
        ParameterError, UnavailableError: as `train` does.
        WeightsError: the weights to start from cannot be read.
    """
    images, held_out = config.counts(data)
    problem = config.problem(data)
    return {
        "solver": config.solver.name,
        "preset": config.solver.preset,
        "parameters": config.solver.own_parameters(),
        "variants": [str(variant) for variant in config.solver.equivalent(config.variant)],
        "dataset": data.name,
        "split": data.split,
        "data_sha256": data.digest,
        "images": images,
        "validation_images": held_out,
        "epochs": config.epochs,
        "batch": config.batch,
        "learning_rate": config.learning_rate,
        "seed": config.seed,
        "precision": precision(config),
        "frame": show_size(problem.frame),
        "grid": show_size(problem.grid),
        "photons": str(config.noise),
        "deformed": config.deform,
        "started_from": weights.read_card(config.start_from).sha256 if config.start_from else "",
        "architecture": model.shapes(),
    }


def device(config: TrainingConfig) -> tuple[str, int]:
    """Whether a GPU or the CPU computes, and how many of them.

    Raises:
        UnavailableError: they are not here.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if config.accelerator == "cpu" or (config.accelerator == "auto" and not gpus):
        if config.devices not in (None, 1):
            raise UnavailableError(f"--devices {config.devices}: the CPU is one device; --threads divides its work")
        return "cpu", 1
    if not gpus:
        raise UnavailableError("accelerator 'cuda' was asked for, but torch finds no GPU here: use --accelerator cpu")
    if config.devices is not None and config.devices > gpus:
        raise UnavailableError(f"--devices {config.devices}: torch finds {gpus} here")
    if config.devices is not None and config.batch % config.devices:
        raise UnavailableError(f"--devices {config.devices}: they cannot share a batch of {config.batch} evenly")
    return "cuda", config.devices or max(count for count in range(1, gpus + 1) if config.batch % count == 0)


def precision(config: TrainingConfig) -> str:
    """Of the arithmetic, as Fabric names it."""
    if config.precision != "auto":
        return config.precision
    return "bf16-mixed" if bf16_is_fast(device(config)[0]) else "32-true"


class _Training:
    """One training in one process; several GPUs run several of them in step, through Fabric."""

    def __init__(
        self, config: TrainingConfig, data: ImageSet, score: Score, report: Callable[[Progress], None]
    ) -> None:
        self.config, self.data, self.score, self.report = config, data, score, report
        self.commit = commit() or "unknown"  # now: the files may be others by the time the training ends
        self.images, self.held_out = config.counts(data)
        self.steps_per_epoch = self.images // config.batch
        self.steps = config.epochs * self.steps_per_epoch
        self.step, self.seconds, self.validation = 0, 0.0, math.nan

        accelerator, devices = device(config)
        self.fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision(config))  # type: ignore[arg-type]
        self.fabric.launch()
        torch.manual_seed(config.seed)
        self.problem = config.problem(data)
        self.model = config.solver.model(self.problem)
        self.identity = identity(config, data, self.model)
        if config.start_from:
            weights.start_from(self.model, config.start_from)
        hidden, others = hidden_weights(self.model, self.model.ends())
        self.optimizers: list[torch.optim.Optimizer] = []
        self.relative_rates: list[float] = []
        if hidden:
            self.optimizers.append(Muon(hidden, weight_decay=WEIGHT_DECAY))
            self.relative_rates.append(MUON_RATE)
        if others:
            self.optimizers.append(torch.optim.AdamW(others, betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY, fused=True))
            self.relative_rates.append(1.0)
        self.average = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        if config.resume and config.checkpoint.exists():
            self._resume()
        self.parallel, *self.steppers = self.fabric.setup(self.model, *self.optimizers)
        self.parallel.mark_forward_method("loss")
        self.average = {name: t.to(self.fabric.device) for name, t in self.average.items()}
        self.state = self.model.state_dict()  # the tensors themselves, which keep their places
        floats = [name for name, t in self.state.items() if t.is_floating_point()]
        self.averaged, self.moving = ([tensors[name] for name in floats] for tensors in (self.average, self.state))
        self.lessons = Lessons(config, data, rank=self.fabric.global_rank, world=self.fabric.world_size)
        self.history = self._open_history()

    def run(self) -> Path:
        lessons = self.lessons.between(self.step, self.steps, processes=self._ahead())
        with contextlib.closing(self.history) if self.history else contextlib.nullcontext():
            with Interruption() as interruption:
                saved = time.monotonic()
                while self.step < self.steps:
                    loss, speed = self._timed_step(lessons)
                    try:
                        self._report(loss, speed)
                    finally:  # SIGHUP comes when the terminal goes, to which nothing can be reported then
                        asked = self._anywhere(interruption.asked)
                        due = self.step == self.steps or time.monotonic() - saved > CHECKPOINT_SECONDS
                        if asked or due:
                            self._save()
                            saved = time.monotonic()
                    if asked:
                        raise TrainingInterrupted(f"stopped at step {self.step} of {self.steps}")
            return self._finish()

    def _anywhere(self, asked: bool) -> bool:
        """Whether the process of any device was asked to stop: all of them have to leave after the same step."""
        said = torch.tensor(float(asked), device=self.fabric.device)
        return bool(torch.as_tensor(self.fabric.all_reduce(said, reduce_op="sum")) > 0)

    def _ahead(self) -> int:
        """How many processes prepare lessons beside the step that is computed: none where it needs the processors."""
        return 0 if self.fabric.device.type == "cpu" else min(LESSON_PROCESSES, processors())

    def _timed_step(self, lessons: Iterator[Lesson]) -> tuple[float, float]:
        """Its loss, and images per second."""
        began = time.monotonic()
        rate = self._learning_rate()
        lesson = tuple(t.to(self.fabric.device, non_blocking=True) for t in next(lessons))
        loss = self._optimise(lesson, rate)
        self.step += 1
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        elapsed = time.monotonic() - began
        self.seconds += elapsed
        measured = math.nan
        if self._is_milestone():
            self.validation = measured = self._validate(self.average)
        if self.history:
            images = self.step * self.config.batch
            self.history.add(Step(self.step, images, loss, measured, rate, self.seconds))
        return loss, self.config.batch / elapsed

    def _is_milestone(self) -> bool:
        """Whether this is the end of an epoch at which progress is measured. The last has the weights that are kept."""
        epoch, rest = divmod(self.step, self.steps_per_epoch)
        every = math.ceil(self.config.epochs / MILESTONES)
        return not rest and epoch % every == 0 and self.step < self.steps

    def _optimise(self, lesson: Lesson, rate: float) -> float:
        """One step; the mean loss of all devices."""
        with self.fabric.autocast():  # Fabric itself narrows forward() alone where there is one device
            loss = self.parallel.loss(*lesson)
        self.model.zero_grad()
        self.fabric.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=1.0)
        for stepper, relative in zip(self.steppers, self.relative_rates, strict=True):
            for group in stepper.param_groups:
                group["lr"] = relative * rate
            stepper.step()
        self._update_average()
        return float(torch.as_tensor(self.fabric.all_reduce(loss.detach())))

    def _learning_rate(self) -> float:
        """Of the next step: a linear warm-up, then half a cosine down to zero."""
        done = (self.step + 1) / self.steps
        if done < WARM_UP:
            return self.config.learning_rate * done / WARM_UP
        fallen = (done - WARM_UP) / (1 - WARM_UP)
        return self.config.learning_rate * (1 + math.cos(math.pi * fallen)) / 2

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of the weights, over fewer steps at first, to forget the random ones."""
        decay = min(1 - 1 / AVERAGE_OVER, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.averaged, self.moving, 1 - decay)
        for name, t in self.average.items():
            if not t.is_floating_point():
                t.copy_(self.state[name])

    @torch.inference_mode()
    def _validate(self, state: dict[str, Tensor]) -> float:
        """Mean score of these weights on the images held out, which are placed as the benchmark does.

        With noise, the photons of these images go in equal ratios from the fewest to the most.
        """
        solver = self.config.solver
        model = solver.model(self.problem)
        model.load_state_dict(state)
        model.eval().to(self.fabric.device)
        indices = np.arange(len(self.data) - self.held_out, len(self.data))
        truth = self.problem.objects(self.data, indices, self.config.seed)
        counts = self.config.noise.spread(len(truth))
        scores = []
        for start in range(0, len(truth), VALIDATION_CHUNK):
            chunk = slice(start, start + VALIDATION_CHUNK)
            trial = solver.trial(
                truth[chunk], self.problem, counts[chunk], indices=indices[chunk], seed=self.config.seed
            )
            images = model.reconstruct(*(t.to(self.fabric.device) for t in trial)).cpu()
            if not images.isfinite().all():
                raise self._diverged("what the network answers is not finite")
            scores.append(self.score(truth[chunk], images.numpy()))
        return float(np.concatenate(scores).mean())

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"the training diverged at step {self.step} of {self.steps}: {what}; no weights are written, "
            f"try a --learning-rate below {self.config.learning_rate:g}"
        )

    def _report(self, loss: float, speed: float) -> None:
        epochs = self.step / self.steps_per_epoch
        self.report(Progress(self.step, self.steps, epochs, loss, speed, self.validation))

    def _open_history(self) -> History | None:
        """Only one of several processes writes it."""
        if not self.fabric.is_global_zero:
            return None
        self.config.output.mkdir(parents=True, exist_ok=True)
        return History(self.config.history, self.step)

    def _save(self) -> None:
        if self.history:
            self.history.sync()
            progress = {"step": self.step, "seconds": self.seconds, "validation": self.validation}
            checkpoint.save(self.config.checkpoint, self.model, self.average, self.optimizers, self.identity, progress)

    def _resume(self) -> None:
        path = self.config.checkpoint
        progress = checkpoint.read_progress(path, self.identity)
        checkpoint.restore(path, self.model, self.average, self.optimizers)
        self.step, self.seconds, self.validation = progress["step"], progress["seconds"], progress["validation"]

    def _finish(self) -> Path:
        """Validate the weights as they will be read back, in half precision, and write them."""
        kept = {name: t.to(torch.float16).to(torch.float32) for name, t in self.average.items()}
        self.validation = self._validate(kept)
        if not all(t.isfinite().all() for t in kept.values()):
            raise self._diverged("the weights are not finite in half precision")
        self._report(math.nan, math.nan)
        if self.history:
            self.history.amend(self.step, self.validation)
            weights.save(self.config.file, kept, self._card())
            self.config.checkpoint.unlink(missing_ok=True)
        return self.config.file

    def _card(self) -> weights.Card:
        return weights.Card(
            **self.identity | {"variants": tuple(self.identity["variants"])},
            sha256="",
            commit=self.commit,
            seconds=round(self.seconds, 1),
            machine=machine.describe(self.fabric.device, self.fabric.world_size),
            validation_mse=round(self.validation, 5),
        )
