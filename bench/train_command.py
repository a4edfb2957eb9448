"""`python -m bench train`: train one learned solver, with a live progress bar."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from datasets import Variant, load_images
from solvers.backend import processors
from solvers.errors import SolverError
from solvers.learned import LearnedSolver, Preset

if TYPE_CHECKING:
    from solvers.training import Progress


def train_command(
    solver: str,
    variant: str,
    *,
    images: int = 0,
    epochs: int = 10,
    preset: str = "default",
    seed: int = 0,
    batch: int = 32,
    learning_rate: float = 1e-3,
    output: Path = Path("runs/train"),
    resume: bool = True,
    precision: str = "auto",
    accelerator: str = "auto",
    devices: str = "auto",
    threads: int = 0,
    dataset: str = "fashion_mnist",
    data_dir: Path | None = None,
) -> Path:
    """Train `unet_a` or `unet_b` and write its weights with their card into `output`. Returns the path of the weights.

    Args:
        images: of the training set, from its beginning; 0 takes all but the 2 000 held out for validation.
        resume: go on from the checkpoint in `output`, where there is one.
        threads: of a training on the CPU; 0 takes every processor.

    Raises:
        SolverError: the solver, variant or preset is unknown or cannot be trained; a checkpoint does not fit.
        DatasetError: the images cannot be read.
        KeyboardInterrupt: the training was stopped; the message says where its checkpoint is.
    """
    learned = _learned_solvers()
    _choose("learned solver", solver, tuple(learned))
    _choose("variant", variant, tuple(Variant))
    _choose("preset", preset, get_args(Preset))
    for name, value in (("epochs", epochs), ("batch", batch)):
        if value < 1:
            raise SolverError(f"{name} must be at least 1, got {value}")
    if images < 0:
        raise SolverError(f"images must not be negative, got {images}")

    import torch

    from bench.metrics import adjusted_mse
    from solvers.training import TrainingConfig, train

    torch.set_num_threads(threads or processors())
    config = TrainingConfig(
        solver=learned[solver],
        variant=Variant(variant),
        preset=preset,  # type: ignore[arg-type]
        images=images,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        seed=seed,
        output=output,
        resume=resume,
        accelerator=accelerator,
        devices=devices if devices == "auto" else int(devices),
        precision=precision,
        data=load_images(dataset, "train", data_dir),
    )
    with _Bar(f"{solver} {variant}") as bar:
        return train(config, adjusted_mse, bar.report)


def _learned_solvers() -> dict[str, type[LearnedSolver]]:
    from solvers.unet_a import UNetA
    from solvers.unet_b import UNetB

    return {s.name: s for s in (UNetA, UNetB)}


def _choose(kind: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise SolverError(f"unknown {kind} '{value}': choose from {', '.join(choices)}")


class _Bar:
    """Steps done, images a second, loss and the last validation score; a line a minute where there is no terminal."""

    def __init__(self, title: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from bench.report import error_console

        self.console = error_console()
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(title, total=None, state="")
        self.speed = self.loss = math.nan
        self.spoken = -math.inf

    def __enter__(self) -> _Bar:
        self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.stop()

    def report(self, p: Progress) -> None:
        self.speed, self.loss = _smooth(self.speed, p.images_per_second), _smooth(self.loss, p.loss)
        state = f"epoch {p.epochs:.2f}  {self.speed:.0f} img/s  loss {self.loss:.4f}  validation mse {p.validation:.4f}"
        self.bar.update(self.task, completed=p.step, total=p.steps, state=state)
        now = time.monotonic()
        if not self.console.is_terminal and (now - self.spoken > 60 or p.step == p.steps):
            self.console.print(f"step {p.step}/{p.steps}  {state}", soft_wrap=True, highlight=False)
            self.spoken = now


def _smooth(before: float, now: float) -> float:
    """A moving average over about fifty values that passes over NaN."""
    if math.isnan(now) or math.isnan(before):
        return before if math.isnan(now) else now
    return 0.98 * before + 0.02 * now
