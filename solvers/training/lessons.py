"""What the steps of a training learn from, in order; while a GPU computes, other processes prepare what comes next."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datasets import ImageSet
from datasets.image_set import as_floats
from solvers.learned.pairs import shuffled
from solvers.training.config import TrainingConfig
from solvers.training.deformation import deformed
from solvers.training.interruption import SIGNALS

Lesson = tuple[Tensor, ...]


class Lessons(Dataset[Lesson]):
    """By step. Each is a function of the configuration and its step alone, so that any may be prepared at any time.

    Args:
        rank, world: of this process, among those that divide a batch.
    """

    def __init__(self, config: TrainingConfig, data: ImageSet, *, rank: int = 0, world: int = 1) -> None:
        self.config, self.data = config, data
        self.rank, self.world = rank, world
        self.problem = config.problem(data)
        self.images, _ = config.counts(data)
        self.steps_per_epoch = self.images // config.batch

    def __getitem__(self, step: int) -> Lesson:
        """Of the next images in the epoch's permutation; on the CPU."""
        config = self.config
        epoch, position = divmod(step, self.steps_per_epoch)
        order = shuffled(self.images, config.seed, epoch)
        chosen = order[position * config.batch : (position + 1) * config.batch]
        mine = chosen[self.rank :: self.world]
        images = self.data.images[mine]
        if config.deform:
            images = deformed(images, mine, seed=config.seed, epoch=epoch)
        placed = config.solver.objects(images, mine, self.problem, seed=config.seed, epoch=epoch)
        objects = torch.from_numpy(as_floats(placed)).float()
        return config.solver.lesson(objects, self.problem, config.noise, indices=mine, seed=config.seed, epoch=epoch)

    def between(self, first: int, end: int, *, processes: int) -> Iterator[Lesson]:
        """Of the steps from `first` to before `end`.

        Args:
            processes: that prepare lessons ahead. With none, each is prepared when it is asked for, as befits a
                training that needs the same processors. Threads would not do: whoever starts the many small kernels of
                a step waits for Python's lock whenever one of them holds it.
        """
        with _held_back():
            return iter(
                DataLoader(
                    self,
                    batch_size=None,
                    sampler=range(first, end),
                    num_workers=processes,
                    worker_init_fn=_left_to_the_parent,
                )
            )


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Signals wait meanwhile, also for the processes that are started: these would die of one before they ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _left_to_the_parent(worker: int) -> None:
    """A signal for the whole group of processes is the training's to answer, which ends its helpers itself."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
