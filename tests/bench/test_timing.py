"""What timing.csv says of a sweep."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from doubles import Blank, register_solvers

import bench.timing
from bench.shard import Outcome, Shard, Timing
from bench.timing import SINGLES, read_alone, single_images, timing_table
from datasets import load_images
from solvers import Backend


class Counting(Blank):
    """Notes how many images it is given at a time."""

    name = "counting"
    summary = "counts its images"
    given: ClassVar[list[int]] = []

    def solve(self, measurement, rng):
        Counting.given.append(len(measurement))
        return super().solve(measurement, rng)


@pytest.fixture(autouse=True)
def _counting(monkeypatch):
    register_solvers(monkeypatch, Counting)
    Counting.given.clear()


def outcome(first: int = 0, count: int = 4, error: str = "", **timing: float) -> Outcome:
    shard = Shard("counting", "shift", 0, first, count, "test", None)
    rows = pd.DataFrame({"iterations": [5] * count, "transforms": [12] * count})
    return Outcome(shard, rows, Timing(**{"setup": 0.0, "solve": 0.1, "score": 0.1, "measure": 0.1} | timing), error)


def test_a_line_has_the_median_and_the_spread_between_its_shards():
    seconds = [(0.4, 0.04), (0.8, 0.02), (4.0, 0.12)]
    shards = [outcome(4 * i, solve=solve, score=score) for i, (solve, score) in enumerate(seconds)]
    (line,) = timing_table(shards, Backend()).to_dict("records")
    for phase, expected in {"solve": (200, 100, 1000), "score": (10, 5, 30)}.items():
        found = [line[f"{phase}_ms_per_image_{name}"] for name in ("median", "low", "high")]
        np.testing.assert_allclose(found, expected)
    assert line["images_per_second"] == pytest.approx(12 / 5.2)
    assert line["microseconds_per_iteration"] == pytest.approx(5.2e6 / 60)
    assert line["transforms_per_image"] == 12


def test_latency_is_that_of_single_images():
    alone = single_images([outcome(), outcome(4)], load_images("sample"), Backend())
    assert Counting.given == [1] * (1 + SINGLES)
    (line,) = timing_table([outcome(), outcome(4)], Backend(), alone).to_dict("records")
    for kind in ("setup_ms", "latency_ms"):
        assert 0 <= line[f"{kind}_low"] <= line[f"{kind}_median"] <= line[f"{kind}_high"]


def test_a_latency_is_kept_until_the_solver_runs_again(tmp_path):
    path = tmp_path / "timing.csv"
    assert read_alone(path, without=set()) is None
    images = load_images("sample")
    timing_table([outcome()], Backend(), single_images([outcome()], images, Backend())).to_csv(path, index=False)
    Counting.given.clear()
    (kept,) = single_images([outcome()], images, Backend(), read_alone(path, without=set())).to_dict("records")
    assert not Counting.given
    assert kept["latency_ms_median"] == pytest.approx(pd.read_csv(path)["latency_ms_median"][0])
    single_images([outcome()], images, Backend(), read_alone(path, without={"counting"}))
    assert len(Counting.given) == 1 + SINGLES


@pytest.mark.parametrize("given", [{"error": "it failed"}, {"solve": 1e6}])
def test_a_solver_that_failed_or_takes_too_long_has_no_latency(given):
    (line,) = single_images([outcome(**given)], load_images("sample"), Backend()).to_dict("records")
    assert not Counting.given
    assert line["solver"] == "counting"
    assert np.isnan(line["latency_ms_median"])


def test_no_image_is_begun_when_the_time_is_up(monkeypatch):
    monkeypatch.setattr(bench.timing, "BUDGET", 1.0)
    monkeypatch.setattr(bench.timing.time, "perf_counter", iter(range(100)).__next__)
    single_images([outcome()], load_images("sample"), Backend())
    assert len(Counting.given) == 2, "one to warm up and one that counts"
