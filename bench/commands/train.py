"""`python -m bench train`: train one learned solver, with a live progress bar."""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from pydantic import ValidationError

from bench.errors import Exit, RequestError
from bench.store.lock import Lock
from datasets import VARIANTS, ImageSet, load_images
from solvers.errors import ParameterError
from solvers.learned.trainable import Preset, Trainable
from solvers.registry import BUILT_IN, names, solver_class
from solvers.training.config import TrainingConfig
from solvers.training.interruption import terminated_as_interrupted

if TYPE_CHECKING:
    from solvers.training.trainer import Progress

# As solvers.files names the temporaries of a training's files; the group is the training.
_TEMPORARY = re.compile(
    rf"\.([\w.-]+-({'|'.join(get_args(Preset))})-({'|'.join(VARIANTS)}))"
    r"\.(safetensors|json|checkpoint|history\.csv|history\.png)\.[a-z0-9_]{8}"
)


class Training(TrainingConfig):
    """What `bench train` is asked for: a training, and the images it learns from."""

    dataset: str = "fashion_mnist"
    data_dir: Path | None = None

    @property
    def picture(self) -> Path:
        """Of the history."""
        return self.history.with_suffix(".png")


class StoppedError(RequestError):
    """A training was stopped; the message says what is left of it."""

    status: ClassVar[Exit] = Exit.STOPPED


class FailedTrainingError(RequestError):
    """A training diverged."""

    status: ClassVar[Exit] = Exit.SOLVER


def train_command(solver: str, **given: Any) -> Path:
    """Train a learned solver and write its weights, their card and the history. Returns the path of the weights.

    Args:
        solver: its name.
        given: the fields of a `Training`; None stands for the default.

    Raises:
        RequestError: an option is out of range, the folder is in use; or the training was stopped, or diverged.
        SolverError: the solver cannot be trained, its weights are in the way, a checkpoint does not fit.
        DatasetError: the images cannot be read.
    """
    asked = request(solver, **given)
    with terminated_as_interrupted():
        try:
            data, finished = _prepare(asked)
        except KeyboardInterrupt as error:
            raise StoppedError("stopped before anything was computed") from error
        if finished is None:
            return _train(asked, data)
        _say("this training is finished already; --overwrite repeats it")
        return finished


def request(solver: str, **given: Any) -> Training:
    """The training that is asked for.

    Raises:
        RequestError: an option is out of range; in one line.
        ParameterError: the solver is unknown, or has nothing to train.
    """
    values = {name: value for name, value in given.items() if value is not None}
    try:
        return Training(solver=_learned_solver(solver), **values)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        message = first["msg"].removeprefix("Value error, ")
        shown = "" if first["type"] == "value_error" else f" (got {first['input']!r})"
        raise RequestError(f"{option}: {message}{shown}") from error


def _learned_solver(name: str) -> type[Trainable]:
    if name in names():
        kind = solver_class(name)
        if issubclass(kind, Trainable):
            return kind
    learned = [built_in for built_in in BUILT_IN if issubclass(solver_class(built_in), Trainable)]
    raise ParameterError(f"unknown learned solver '{name}': choose from {', '.join(learned)}")


def _prepare(asked: Training) -> tuple[ImageSet, Path | None]:
    """The images, and the weights if this training is finished. PyTorch takes seconds to import."""
    data = load_images(asked.dataset, "train", asked.data_dir)
    asked.counts(data)
    from solvers.training.trainer import find_finished

    return data, find_finished(asked, data)


def _train(asked: Training, data: ImageSet) -> Path:
    from bench.score.metrics import adjusted_mse
    from solvers.training.trainer import DivergedError, resumable_step, train

    with _alone(asked), _Bar(asked) as bar:
        try:
            weights = train(asked, data, adjusted_mse, bar.report)
        except DivergedError as error:
            raise FailedTrainingError(str(error)) from error
        except KeyboardInterrupt as error:
            raise StoppedError(_what_is_left(asked, resumable_step(asked, data))) from error
        bar.draw()
    _say(f"history in {asked.history} and {asked.picture}")
    return weights


def _what_is_left(asked: Training, step: int | None) -> str:
    if step is None:
        return "stopped before the first checkpoint: the same command begins anew"
    command = "the same command" if asked.resume else "the same command without --no-resume"
    return f"stopped; {command} goes on after step {step}"


@contextlib.contextmanager
def _alone(asked: Training) -> Iterator[None]:
    """Have this training to oneself, in a folder where others may be at work on theirs.

    Raises:
        RequestError: another process is at work on it, or the folder cannot be written.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":  # started by the process that has the lock, for another GPU
        yield
        return
    lock = Lock(asked.output, _lock_name(asked.name))
    try:
        asked.output.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        lock.sign()
        _sweep_up(asked)
    except OSError as error:
        lock.release()
        raise RequestError(f"output '{asked.output}' cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def _lock_name(training: str) -> str:
    return f".{training}.lock"


def _sweep_up(asked: Training) -> None:
    """Remove the temporary files that killed trainings have left behind, but not those of others that are at work."""
    for path in asked.output.iterdir():
        left = _TEMPORARY.fullmatch(path.name)
        if left is None:
            continue
        if left[1] == asked.name:
            path.unlink(missing_ok=True)
            continue
        other = Lock(asked.output, _lock_name(left[1]))
        with contextlib.suppress(RequestError):
            other.acquire()
            path.unlink(missing_ok=True)
        other.release()


def _say(message: str) -> None:
    print(message, file=sys.stderr)


class _Bar:
    """Steps done, images a second, loss and the last validation score; a line a minute where there is no terminal."""

    def __init__(self, asked: Training) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.asked = asked
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(f"{asked.solver.name} {asked.variant}", total=None, state="")
        self.speed = self.loss = self.validation = math.nan
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
        if p.validation != self.validation and not math.isnan(p.validation):
            self.validation = p.validation
            self.draw()

    def draw(self) -> None:
        """A picture of the history so far. The training does not depend on that."""
        from bench.report.training_figure import draw_history  # matplotlib takes a second to import

        try:
            draw_history(self.asked.history, self.asked.picture)
        except Exception as error:
            self.console.print(f"history not drawn: {error}", markup=False, highlight=False)


def _smooth(before: float, now: float) -> float:
    """A moving average over about fifty values that passes over NaN."""
    if math.isnan(now) or math.isnan(before):
        return before if math.isnan(now) else now
    return 0.98 * before + 0.02 * now
