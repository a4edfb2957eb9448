"""What the steps of a training learn from, in order; while a GPU computes, threads prepare what comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import torch
from torch import Tensor

from datasets import ImageSet
from datasets.image_set import as_floats
from solvers.learned.pairs import shuffled
from solvers.training.config import TrainingConfig

Lesson = tuple[Tensor, ...]


class Lessons:
    """Each is a function of the configuration and its step alone, so that any may be prepared at any time.

    Args:
        rank, world: of this process, among those that divide a batch.
    """

    def __init__(self, config: TrainingConfig, data: ImageSet, *, rank: int = 0, world: int = 1) -> None:
        self.config, self.data = config, data
        self.rank, self.world = rank, world
        self.problem = config.problem(data)
        self.images, _ = config.counts(data)
        self.steps_per_epoch = self.images // config.batch

    def of_step(self, step: int) -> Lesson:
        """Of the next images in the epoch's permutation; on the CPU."""
        config = self.config
        epoch, position = divmod(step, self.steps_per_epoch)
        order = shuffled(self.images, config.seed, epoch)
        chosen = order[position * config.batch : (position + 1) * config.batch]
        mine = chosen[self.rank :: self.world]
        placed = config.solver.objects(self.data.images[mine], mine, self.problem, seed=config.seed, epoch=epoch)
        objects = torch.from_numpy(as_floats(placed)).float()
        return config.solver.lesson(objects, self.problem, config.noise, indices=mine, seed=config.seed, epoch=epoch)

    def between(self, first: int, end: int, *, threads: int) -> Generator[Lesson]:
        """Of the steps from `first` to before `end`.

        Args:
            threads: prepare as many lessons ahead; 0 prepares each when it is asked for, as befits a training that
                needs the same processors.
        """
        if not threads:
            yield from map(self.of_step, range(first, end))
            return
        steps = iter(range(first, end))
        ahead: deque[Future[Lesson]] = deque()
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                ahead.extend(pool.submit(self.of_step, step) for step in islice(steps, 2 * threads))
                while ahead:
                    lesson = ahead.popleft().result()
                    if (step := next(steps, None)) is not None:
                        ahead.append(pool.submit(self.of_step, step))
                    yield lesson
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
