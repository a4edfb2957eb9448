"""One shard: the solver sees a measurement and nothing else, and is timed by itself."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from doubles import Blank, register_solvers

import bench.executors.probes
import bench.sweep.shard
from bench.executors.inline import Inline
from bench.sweep.shard import Outcome, Shard, Timing, observe
from datasets import Measurement, load_images
from datasets.problem import Problem
from solvers import Backend, Streams

NOISY = Problem(dataset="sample", photons=1e5)


class Clock:
    """Time that passes only where it is told to."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return 2 * self.now

    def slow(self, seconds: float, function):
        def wrapper(*arguments, **options):
            self.now += seconds
            return function(*arguments, **options)

        return wrapper


class Traced(Backend):
    """Writes down when it was waited for."""

    events: ClassVar[list[str]] = []

    def synchronize(self) -> None:
        self.events.append("synchronised")


class Noting(Blank):
    """Notes what it is given, and when."""

    name = "noting"
    summary = "notes what it is given"
    given: ClassVar[list[object]] = []

    def prepare(self, backend, problem=None):
        super().prepare(backend, problem)
        Traced.events.append(f"prepared for {problem.variant}")

    def solve(self, measurement, rng):
        Traced.events.append("solved")
        Noting.given.append((measurement, rng))
        return super().solve(measurement, rng)


@pytest.fixture
def place(monkeypatch) -> Inline:
    register_solvers(monkeypatch, Noting)
    Traced.events.clear()
    Noting.given.clear()
    return Inline(load_images("sample"), Traced())


def outcome(place: Inline, *arguments) -> Outcome:
    (found,) = place.run([shard(*arguments)])
    return found


def shard(variant: str = "none", first: int = 0) -> Shard:
    return Shard(Problem(dataset="sample", variant=variant), "noting", 3, first, 2)


def test_measuring_setup_solving_and_scoring_are_timed_apart(place, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(bench.sweep.shard, "time", clock)
    monkeypatch.setattr(bench.executors.probes, "time", clock)
    monkeypatch.setattr(bench.sweep.shard, "observe", clock.slow(1, bench.sweep.shard.observe))
    monkeypatch.setattr(Noting, "prepare", clock.slow(20, Noting.prepare))
    monkeypatch.setattr(Noting, "solve", clock.slow(300, Noting.solve))
    monkeypatch.setattr(bench.sweep.shard, "register", clock.slow(4000, bench.sweep.shard.register))
    timing = outcome(place).timing
    assert timing == Timing(setup=20, solve=300, score=4000, measure=1)
    assert timing.cpu == 600
    assert outcome(place, "none", 2).timing == Timing(setup=0, solve=300, score=4000, measure=1)
    assert outcome(place, "flip").timing.setup == 20  # once for each variant


def test_the_clock_is_read_when_the_device_has_finished(place):
    outcome(place)
    assert Traced.events == ["prepared for none", "synchronised", "solved", "synchronised"]


def test_a_solver_never_sees_the_truth(place):
    outcome(place, "shift_flip")
    truth, _ = observe(place.images, shard("shift_flip"))
    ((measurement, streams),) = Noting.given
    assert type(measurement) is Measurement
    arrays = [value for value in vars(measurement).values() if isinstance(value, np.ndarray)]
    assert sorted(array.shape for array in arrays) == [(2,), (2,), (2, 96, 96)]
    assert not any(np.shares_memory(array, truth) for array in arrays)
    assert streams == Streams(3)


def test_a_part_of_a_split_is_measured_as_the_whole(place):
    whole = observe(place.images, Shard(NOISY, "noting", 3, 0, 6))
    part = observe(place.images, Shard(NOISY, "noting", 3, 4, 2))
    np.testing.assert_array_equal(part[0], whole[0][4:])
    assert part[1].digests() == whole[1].digests()[4:]


def test_another_seed_has_other_places_and_other_photons(place):
    def intensities(variant: str, seed: int) -> np.ndarray:
        problem = NOISY.model_copy(update={"variant": variant})
        return observe(place.images, Shard(problem, "noting", seed, 0, 4))[1].intensities

    assert not np.array_equal(intensities("none", 0), intensities("none", 1))
    shifted = Problem(dataset="sample", variant="shift")
    placed = [observe(place.images, Shard(shifted, "noting", seed, 0, 4))[0] for seed in (0, 1)]
    assert not np.array_equal(*placed)
