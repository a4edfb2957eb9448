"""`python -m bench train`: train one learned solver, with a live progress bar."""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError

from bench.errors import Exit, RequestError, StoppedError, say
from bench.given import told
from bench.store.lock import Lock
from datasets import VARIANTS, DatasetError, ImageSet, load_images
from solvers.errors import ParameterError, SolverError, printable
from solvers.files import written_for
from solvers.labels import read_label
from solvers.learned.trainable import Trainable
from solvers.registry import BUILT_IN, create, solver_class
from solvers.training.config import TrainingConfig
from solvers.training.interruption import terminated_as_interrupted

if TYPE_CHECKING:
    from solvers.training.trainer import Progress

# A file of a training; the group is the training.
_WRITTEN = re.compile(
    rf"([\w.-]+-[\w-]+-({'|'.join(VARIANTS)}))\.(safetensors|json|checkpoint|history\.csv|history\.png)"
)


class Training(TrainingConfig):
    """What `bench train` is asked for: a training, and the images it learns from."""

    dataset: str = "fashion_mnist"
    data_dir: Path | None = None

    @property
    def picture(self) -> Path:
        """Of the history."""
        return self.history.with_suffix(".png")


class FailedTrainingError(RequestError):
    """A training diverged, or the code of a plug-in raised an error."""

    status: ClassVar[Exit] = Exit.SOLVER


def train_command(solver: str, **given: Any) -> Path:
    """Train a learned solver and write its weights, their card and the history. Returns the path of the weights.

    Args:
        solver: its label. The code of a plug-in runs in this process.
        given: the fields of a `Training`; None stands for the default.

    Raises:
        RequestError: an option is out of range, the folder is in use; or the training was stopped, or diverged.
        SolverError: the solver cannot be trained, its weights are in the way, a checkpoint does not fit.
        DatasetError: the images cannot be read.
    """
    asked = request(solver, **given)
    with terminated_as_interrupted(), _blaming_a_plugin(solver):
        try:
            data, finished = _prepare(asked)
        except KeyboardInterrupt as error:
            raise StoppedError("stopped before anything was computed") from error
        if finished is None:
            return _train(asked, data)
        say("this training is finished already; --overwrite repeats it")
        return finished


def request(solver: str, **given: Any) -> Training:
    """The training that is asked for.

    Raises:
        RequestError: an option is out of range; in one line.
        ParameterError: the solver is unknown, or has nothing to train.
    """
    values = {name: value for name, value in given.items() if value is not None}
    learned = _learned_solver(solver)
    try:
        return Training(solver=learned, **values)
    except ValidationError as error:
        raise RequestError(told(error, Training)) from error


@contextlib.contextmanager
def _blaming_a_plugin(label: str) -> Iterator[None]:
    """Whatever else the code of a plug-in raises is its failure, not a bug of phasebench."""
    if read_label(label)[0] in BUILT_IN:
        yield
        return
    try:
        yield
    except (RequestError, SolverError, DatasetError, OSError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise FailedTrainingError(
            f"solver '{label}' cannot be trained: {type(error).__name__}: {printable(str(error))}"
        ) from error


def _learned_solver(label: str) -> Trainable:
    solver = create(label)
    if not isinstance(solver, Trainable) or solver.network_of:
        kinds = {name: solver_class(name) for name in BUILT_IN}
        learned = [name for name, kind in kinds.items() if issubclass(kind, Trainable) and not kind.network_of]
        raise ParameterError(
            f"solver '{label}' has nothing to train: choose from {', '.join(learned)}, or a plug-in's LearnedSolver"
        )
    if solver.weights is not None:
        raise ParameterError(
            f"solver '{label}' names weights: --start-from begins with some, --output says where they go"
        )
    return solver


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
    say(f"history in {asked.history} and {asked.picture}")
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
        left = _WRITTEN.fullmatch(written_for(path.name))
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


class _Bar:
    """Steps done, images a second, loss and the last validation score; a line a minute where there is no terminal."""

    def __init__(self, asked: Training) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from bench.report.terminal import error_console

        self.asked = asked
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
        known = {  # nothing was computed yet of a training whose last step was done before
            f"{self.speed:.0f} img/s": self.speed,
            f"loss {self.loss:.4f}": self.loss,
            f"validation mse {p.validation:.4f}": p.validation,
        }
        state = "  ".join([f"epoch {p.epochs:.2f}", *(text for text, value in known.items() if not math.isnan(value))])
        self.bar.update(self.task, completed=p.step, total=p.steps, state=state)
        now = time.monotonic()
        ended = p.step == p.steps and math.isnan(p.loss)  # with the validation of what is kept
        if not self.console.is_terminal and (now - self.spoken > 60 or ended):
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
