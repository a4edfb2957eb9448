"""One shard: the solver sees a measurement and nothing else, and is timed by itself."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np
import pytest
from doubles import Blank, register_solvers

from bench.shard import Shard, Worker, observe
from datasets import Measurement, load_images
from solvers import Backend


class Traced(Backend):
    """Writes down when it was waited for."""

    events: ClassVar[list[str]] = []

    def synchronize(self) -> None:
        self.events.append("synchronised")


class Slow(Blank):
    """Takes its time, and notes what it is given."""

    name = "slow"
    summary = "takes its time"
    given: ClassVar[list[object]] = []

    def prepare(self, backend, variant=None):
        super().prepare(backend, variant)
        Traced.events.append(f"prepared for {variant}")
        time.sleep(0.05)

    def solve(self, measurement, rng):
        Traced.events.append("solved")
        Slow.given.append((measurement, rng))
        time.sleep(0.1)
        return super().solve(measurement, rng)


@pytest.fixture
def worker(monkeypatch) -> Worker:
    register_solvers(monkeypatch, Slow)
    Traced.events.clear()
    Slow.given.clear()
    return Worker(load_images("sample"), Traced())


def shard(variant: str = "none", first: int = 0) -> Shard:
    return Shard("slow", variant, 3, first, 2, "test", None)


def test_setup_is_timed_apart_from_solving_and_happens_once_for_each_variant(worker):
    first, second = worker.run(shard()).timing, worker.run(shard(first=2)).timing
    assert 0.05 <= first.setup < 0.1
    assert second.setup < 0.04
    for timing in (first, second):
        assert 0.1 <= timing.solve < 0.15
    worker.run(shard("flip"))
    assert [event for event in Traced.events if event.startswith("prepared")] == [
        "prepared for none",
        "prepared for flip",
    ]


def test_the_clock_is_read_when_the_device_has_finished(worker):
    worker.run(shard())
    assert Traced.events == ["prepared for none", "synchronised", "solved", "synchronised"]


def test_a_solver_never_sees_the_truth(worker):
    worker.run(shard("shift_flip"))
    truth, _ = observe(worker.images, shard("shift_flip"))
    ((measurement, streams),) = Slow.given
    assert type(measurement) is Measurement
    arrays = [value for value in vars(measurement).values() if isinstance(value, np.ndarray)]
    assert sorted(array.shape for array in arrays) == [(2,), (2, 96, 96)]
    assert not any(np.shares_memory(array, truth) for array in arrays)
    assert vars(streams) == {"seed": 3}


def test_a_part_of_a_split_is_measured_as_the_whole(worker):
    whole = observe(worker.images, Shard("slow", "shift_flip", 3, 0, 6, "test", 1e5))
    part = observe(worker.images, Shard("slow", "shift_flip", 3, 4, 2, "test", 1e5))
    np.testing.assert_array_equal(part[0], whole[0][4:])
    assert part[1].digests() == whole[1].digests()[4:]
