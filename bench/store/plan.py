"""What a sweep consists of: its shards, in the order in which they are reported."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.request import Sweep
from bench.score.references import label_of
from bench.sweep.shard import Shard
from datasets.problem import Problem


def shards(sweep: Sweep, problems: Sequence[Problem]) -> Iterator[Shard]:
    """The shards of its solvers, on each problem."""
    for problem in problems:
        for solver in sweep.solvers:
            yield from _blocks(sweep, problem, solver)


def reference_shards(sweep: Sweep, problems: Sequence[Problem]) -> Iterator[tuple[str, Shard]]:
    """The shards of the references that it asks for, with their names, on each problem with noise."""
    for problem in problems:
        if math.isfinite(problem.photons):
            for name in sweep.references or ():
                for shard in _blocks(sweep, problem, label_of(name)):
                    yield name, replace(shard, kept=())


def _blocks(sweep: Sweep, problem: Problem, label: str) -> Iterator[Shard]:
    for seed in sweep.seeds:
        for first in range(0, sweep.images, sweep.shard):
            count = min(sweep.shard, sweep.images - first)
            kept = tuple(image for image in sweep.kept if first <= image < first + count)
            yield Shard(problem, label, seed, first, count, kept)
