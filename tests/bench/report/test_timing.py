"""What timing.csv says of a sweep."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.executors.glimpses import alone
from bench.executors.task import CallError
from bench.report.manifest import MANIFEST
from bench.report.timing import TIMING, read_alone, single_images, timing_table
from bench.store.recipe import Recipe
from bench.store.tables import csv_text
from bench.sweep.shard import Outcome, Shard, Timing
from datasets.problem import Problem
from solvers import Backend


class Answering:
    """An executor that answers every call with the same latency, or with an error."""

    def __init__(self, error: str = "") -> None:
        self.error, self.asked = error, []

    def call(self, function, shard):
        assert function is alone
        self.asked.append(shard)
        if self.error:
            raise CallError(self.error)
        return [3.0, 1.0, 2.0], [30.0, 10.0, 20.0]


def outcome(first: int = 0, error: str = "", count: int = 4, photons: float | str = "none", **timing: float) -> Outcome:
    shard = Shard(Problem(dataset="sample", variant="shift", photons=photons), "counting", 0, first, count)
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


def test_shards_that_only_repeat_each_other_change_no_spread():
    shards = [outcome(4 * i, solve=solve) for i, solve in enumerate((0.4, 0.8, 4.0))]
    again = [replace(shard, shard=replace(shard.shard, seed=seed)) for seed in range(4) for shard in shards]
    once, repeated = (timing_table(outcomes, Backend()) for outcomes in (shards, again))
    spread = [column for column in once.columns if column.endswith(("_median", "_low", "_high"))]
    pd.testing.assert_frame_equal(once[spread], repeated[spread])


def test_shards_that_failed_have_no_processor_time_and_no_transforms():
    shards = [outcome(cpu=0.2), outcome(4, "it failed"), outcome(8, cpu=0.4)]
    shards[1].rows["transforms"] = 0
    (line,) = timing_table(shards, Backend()).to_dict("records")
    found = [line[f"solve_cpu_ms_per_image_{name}"] for name in ("median", "low", "high")]
    np.testing.assert_allclose(found, [75, 50, 100])
    assert line["transforms_per_image"] == 12
    (line,) = timing_table(shards[1:2], Backend()).to_dict("records")
    assert np.isnan(line["solve_cpu_ms_per_image_median"])
    assert np.isnan(line["transforms_per_image"])


def test_shards_on_fewer_threads_do_not_tell_the_time_on_the_wall():
    shards = [outcome(solve=0.8, cpu=0.8, threads=1), outcome(4, solve=0.4, cpu=0.8, threads=2)]
    (line,) = timing_table(shards, Backend()).to_dict("records")
    assert [line["threads"], line["images"]] == [2, 8]
    np.testing.assert_allclose([line["solve_ms_per_image_low"], line["solve_ms_per_image_high"]], 100)
    assert line["images_per_second"] == pytest.approx(10)
    assert line["solve_cpu_ms_per_image_median"] == pytest.approx(200)


def test_a_shard_that_was_ended_counts_with_its_seconds_on_however_many_threads():
    shards = [outcome(solve=0.4, threads=8), outcome(4, "no result", solve=60.0)]
    (line,) = timing_table(shards, Backend()).to_dict("records")
    assert line["solve_ms_per_image_high"] == pytest.approx(15_000)
    assert line["images_per_second"] == pytest.approx(8 / 60.4)


def test_the_line_of_the_first_problem_has_the_latency():
    executor = Answering()
    outcomes = [outcome(), outcome(4), outcome(photons=1e4)]
    line, other = timing_table(outcomes, Backend(), single_images(outcomes, executor)).to_dict("records")
    assert executor.asked == [outcomes[0].shard]
    assert np.isnan(other["latency_ms_median"])
    assert [line[f"setup_ms_{name}"] for name in ("median", "low", "high")] == [2, 1, 3]
    assert [line[f"latency_ms_{name}"] for name in ("median", "low", "high")] == [20, 10, 30]


def table(executor) -> bytes:
    return csv_text(timing_table([outcome()], Backend(), single_images([outcome()], executor))).encode()


MADE_OF = Recipe("0" * 64, {"shift": ["1" * 64]})


def vouched(folder: Path, content: bytes) -> None:
    """A table of times, and the manifest that has its checksum."""
    (folder / TIMING).write_bytes(content)
    said = {"files": {TIMING: hashlib.sha256(content).hexdigest()}, "solvers": {"counting": asdict(MADE_OF)}}
    (folder / MANIFEST).write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("now", "again"),
    [
        (MADE_OF, False),
        (Recipe(MADE_OF.code, {**MADE_OF.files, "flip": ["2" * 64]}), False),
        (Recipe("2" * 64, MADE_OF.files), True),
        (Recipe(MADE_OF.code, {"shift": ["2" * 64]}), True),
    ],
    ids=["as it was", "on one problem more", "other code", "other weights"],
)
def test_a_latency_is_kept_until_the_solver_changes(tmp_path, now, again):
    executor = Answering()
    assert read_alone(tmp_path, {"counting": now}) is None
    vouched(tmp_path, table(executor))
    executor.asked.clear()
    (kept,) = single_images([outcome()], executor, read_alone(tmp_path, {"counting": now})).to_dict("records")
    assert len(executor.asked) == again
    assert kept["latency_ms_median"] == 20


@pytest.mark.parametrize("other", [{"photons": 1e4}, {"threads": 2}], ids=str)
def test_a_latency_is_not_taken_over_for_another_problem_or_from_other_threads(tmp_path, other):
    executor = Answering()
    vouched(tmp_path, table(executor))
    executor.asked.clear()
    single_images([outcome(**other)], executor, read_alone(tmp_path))
    assert len(executor.asked) == 1


def test_photons_that_a_file_has_as_a_whole_number_are_those_of_the_run(tmp_path, recwarn):
    executor, few = Answering(), outcome(photons=500)
    vouched(tmp_path, csv_text(timing_table([few], Backend(), single_images([few], executor))).encode())
    lines = timing_table([few, outcome()], Backend(), read_alone(tmp_path)).to_dict("records")
    assert [line["latency_ms_median"] == 20 for line in lines] == [True, False]
    assert not recwarn.list


def test_a_latency_is_believed_only_as_it_was_written(tmp_path):
    good = table(Answering())
    vouched(tmp_path, good)
    assert read_alone(tmp_path) is not None
    (tmp_path / TIMING).write_bytes(good.replace(b"20", b"21", 1))
    assert read_alone(tmp_path) is None
    (tmp_path / TIMING).write_bytes(good)
    (tmp_path / MANIFEST).unlink()
    assert read_alone(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"something,else\n1,2\n",
        b"setup_ms_median,latency_ms_median\n1,2\n",
        b"solver,setup_ms_median,latency_ms_median\ncounting,1,2\n",
    ],
)
def test_a_table_of_another_version_is_measured_again(tmp_path, content):
    vouched(tmp_path, content)
    assert read_alone(tmp_path) is None


def test_what_is_no_file_is_measured_again(tmp_path):
    os.mkfifo(tmp_path / TIMING)
    assert read_alone(tmp_path) is None


@pytest.mark.parametrize("given", [{"error": "it failed"}, {"solve": 1e6}])
def test_a_solver_that_failed_or_takes_too_long_is_not_asked_again(given):
    executor = Answering()
    (line,) = single_images([outcome(**given)], executor).to_dict("records")
    assert not executor.asked
    assert line["solver"] == "counting"
    assert np.isnan(line["latency_ms_median"])


def test_a_solver_that_fails_by_itself_has_no_latency():
    (line,) = single_images([outcome()], Answering("it failed")).to_dict("records")
    assert np.isnan(line["latency_ms_median"])
