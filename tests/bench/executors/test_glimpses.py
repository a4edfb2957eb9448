"""What is seen of a solver beside the sweep is what the tables count: curves, single images."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from doubles import Blank, register_solvers

import bench.executors.probes
from bench.executors.glimpses import alone, converge
from bench.executors.inline import Inline
from bench.executors.probes import SINGLES
from bench.executors.processes import Processes
from bench.executors.task import Task, told
from bench.score.metrics import adjusted_mse
from bench.sweep.shard import Shard, observe
from datasets import load_images
from datasets.problem import Problem
from solvers import Backend, Streams, create

LONG, SHORT = "rrr[nonneg=true,iterations=60]", "rrr[nonneg=true,iterations=20]"
SHARD = Shard(Problem(dataset="sample", variant="shift_flip"), SHORT, 0, 0, 3)


class Counting(Blank):
    """Notes how many images it is given at a time."""

    name = "counting"
    summary = "counts its images"
    given: ClassVar[list[int]] = []

    def solve(self, measurement, rng):
        Counting.given.append(len(measurement))
        return super().solve(measurement, rng)


@pytest.fixture
def counting(monkeypatch) -> Shard:
    register_solvers(monkeypatch, Counting)
    Counting.given.clear()
    return replace(SHARD, solver="counting")


def test_a_curve_ends_at_the_score_of_the_reconstruction():
    images, backend = load_images("sample"), Backend()
    long, short = (converge(replace(SHARD, solver=label), images, Inline(images, backend)) for label in (LONG, SHORT))
    truth, measurement = observe(images, SHARD)
    solver = create(SHORT)
    solver.prepare(backend)
    found = solver.solve(measurement, Streams(0))
    assert short.mse.tolist() == [np.median(adjusted_mse(truth, found.images))]
    assert short.residual.tolist() == [np.median(found.residual)]
    assert long.iterations.tolist() == [20, 40, 60]
    assert (np.diff(long.seconds) > 0).all()
    assert long.mse[0] == short.mse[0]


def test_what_a_worker_tells_stays_as_it_is_while_it_is_looked_at():
    images = load_images("sample")
    _, measurement = observe(images, SHARD)
    looks = []

    def look(snapshot):
        before = {name: np.copy(value) for name, value in snapshot.items()}
        time.sleep(0.05)  # many times as long as the solver takes to the next snapshot
        looks.append(all(np.array_equal(value, before[name]) for name, value in snapshot.items()))

    with Processes(images, Backend()) as workers:
        workers.ask(Task("converge", LONG, (measurement,), told(SHARD)), look)
        assert looks == [True, True, True]
        with pytest.raises(ZeroDivisionError):
            workers.ask(Task("converge", LONG, (measurement,), told(SHARD)), lambda snapshot: 1 / 0)
        assert workers.ask(Task("converge", LONG, (measurement,), told(SHARD)), look) is True


def test_a_solver_that_does_not_iterate_has_no_curve(monkeypatch):
    register_solvers(monkeypatch, Blank)
    images = load_images("sample")
    assert converge(replace(SHARD, solver="blank"), images, Inline(images, Backend())) is None


def test_single_images_are_solved_one_by_one_after_one_that_warms_up(counting):
    images = load_images("sample")
    setups, solves = alone(counting, images, Inline(images, Backend()))
    assert Counting.given == [1] * (1 + SINGLES)
    assert len(setups) == len(solves) == SINGLES
    assert min(setups + solves) >= 0


def test_no_image_is_begun_when_the_time_is_up(counting, monkeypatch):
    images = load_images("sample")
    monkeypatch.setattr(bench.executors.probes, "BUDGET", 1.0)
    monkeypatch.setattr(bench.executors.probes.time, "perf_counter", iter(range(100)).__next__)
    alone(counting, images, Inline(images, Backend()))
    assert len(Counting.given) == 2, "one to warm up and one that counts"
