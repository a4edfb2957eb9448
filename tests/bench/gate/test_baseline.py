"""`bench baseline`: a file that repeats its sweep, can be read in a diff, and is believed only as it was made."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pandas as pd
import pytest
from doubles import Broken, register_solvers, result_rows

import bench.commands.baseline
import bench.request
from bench.errors import RequestError
from bench.gate.baseline import TITLE, Baseline, Cost, read_baseline, write_baseline
from bench.gate.calibration import Calibration, calibrate, fingerprint, steady
from bench.report.timing import timing_table
from datasets.problem import Problem
from solvers import Backend

SPREAD = ("median", "low", "high")
OPTIONS = {"solvers": "er[iterations=5],rrr[iterations=5]", "dataset": "sample", "images": 3, "variants": "none"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(bench.request, "DEFAULT_EXECUTOR", "inline")
    monkeypatch.setattr("bench.commands.baseline.calibrate", lambda backend: Calibration(1e-5, quiet=True))


@pytest.fixture
def make(bench, tmp_path):
    """`bench baseline` into a file; options as keywords."""

    def call(name: str = "baseline.csv", **options: object):
        given = OPTIONS | {"threads": 1, "seed": "0,7"} | options
        return bench(
            "baseline", *(part for key, value in given.items() for part in (f"--{key}", value)),
            "--output", tmp_path / name,
        )  # fmt: skip

    return call


def test_a_baseline_has_a_row_for_every_solver_variant_seed_and_image(make, tmp_path):
    assert make().status == 0
    found = read_baseline(tmp_path / "baseline.csv")
    assert len(found.rows) == 2 * 2 * 3
    assert list(found.rows["solver"].unique()) == ["er[iterations=5]", "rrr[iterations=5]"]
    assert found.sweep["seeds"] == [0, 7]
    assert found.sweep["images"] == 3
    assert "data_dir" not in found.sweep
    assert {cost.solver for cost in found.costs} <= {"er[iterations=5]", "rrr[iterations=5]"}
    assert all(0 < cost.low <= cost.median <= cost.high for cost in found.costs)


def test_it_is_text_that_a_diff_can_show(make, tmp_path):
    make()
    lines = (tmp_path / "baseline.csv").read_text().splitlines()
    assert lines[0] == TITLE
    header = [line for line in lines if line.startswith("#")]
    json.loads("\n".join(line[2:] for line in header[1:]))
    table = lines[len(header) :]
    assert table[0] == "variant,solver,seed,image,measurement,mse,transforms"
    assert len(table) == 13
    assert max(map(len, table)) < 80


def test_what_is_read_is_what_was_written(make, tmp_path):
    make()
    first = read_baseline(tmp_path / "baseline.csv")
    write_baseline(first, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "baseline.csv").read_bytes()
    pd.testing.assert_frame_equal(read_baseline(tmp_path / "again.csv").rows, first.rows)


def test_labels_of_an_older_baseline_are_read_as_they_are_spelled_now(tmp_path):
    old = ("rrr[beta=0.6,nonneg=True]", "rrr[nonneg=true]", "gone[ b = 1 ]")
    rows = pd.concat([result_rows(label, np.array([0.1, 0.2])) for label in old], ignore_index=True)
    costs = tuple(Cost(solver=label, problem=Problem(variant="none"), median=1.0, low=0.5, high=2.0) for label in old)
    write_baseline(Baseline({}, {}, "0", costs, rows), tmp_path / "old.csv")
    found = read_baseline(tmp_path / "old.csv")
    assert found.rows["solver"].tolist() == 2 * ["rrr[nonneg=true]"] + 2 * ["gone[ b = 1 ]"]
    assert [cost.solver for cost in found.costs] == ["rrr[nonneg=true]", "gone[ b = 1 ]"]


def test_windows_line_ends_do_not_damage_it(make, tmp_path):
    make()
    path = tmp_path / "baseline.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_baseline(path).rows) == 12


def test_every_byte_of_the_rows_counts(make, tmp_path):
    make(solvers="er[iterations=1]", seed=0, images=1)
    path = tmp_path / "baseline.csv"
    good = path.read_bytes()
    for position in range(good.rindex(b"# }"), len(good) - 1):
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        with pytest.raises(RequestError) as refused:
            read_baseline(path)
        assert str(path) in str(refused.value)


def test_a_file_cut_short_is_refused_wherever_it_was_cut(make, tmp_path):
    make(solvers="er[iterations=1]", seed=0)
    path = tmp_path / "baseline.csv"
    good = path.read_bytes()
    for length in range(0, len(good) - 1, 7):
        path.write_bytes(good[:length])
        with pytest.raises(RequestError):
            read_baseline(path)


def test_a_solver_that_fails_makes_no_baseline(make, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Broken)
    done = make(solvers="er[iterations=1],broken")
    assert done.status == 3
    assert "the [/dial] was at [bold]eleven" in " ".join(done.err.split())
    assert not (tmp_path / "baseline.csv").exists()


def test_something_else_is_not_overwritten_and_an_older_baseline_is(make, tmp_path):
    (tmp_path / "thesis.csv").write_text("precious")
    (tmp_path / "folder").mkdir()
    for name, word in (("thesis.csv", "no baseline"), ("folder", "is a folder"), ("thesis.csv/b.csv", "written")):
        done = make(name)
        assert done.status == 2
        assert word in done.err
        assert done.err.count("\n") == 1
    assert (tmp_path / "thesis.csv").read_text() == "precious"
    assert [make(images=images).status for images in (1, 2)] == [0, 0]
    assert read_baseline(tmp_path / "baseline.csv").sweep["images"] == 2


def test_a_machine_that_was_busy_leaves_no_times(make, tmp_path, monkeypatch):
    monkeypatch.setattr(bench.commands.baseline, "calibrate", lambda backend: Calibration(1e-5, quiet=False))
    assert "busy" in make().err
    assert read_baseline(tmp_path / "baseline.csv").costs == ()


def test_a_finished_run_is_a_baseline_without_times(bench, run, tmp_path):
    run(solvers="er[iterations=5]", variants="none", images=3)
    made = tmp_path / "baseline.csv"
    done = bench("baseline", "--current", tmp_path / "out", "--output", made)
    assert done.status == 0
    assert "3 rows, without times: the run was not calibrated" in " ".join(done.err.split())
    again = bench("check", "--baseline", made)
    assert again.status == 0, again.out
    assert again.out.count("unchanged on every image") == 3
    assert "the baseline was made of a run, without times" in " ".join(again.out.split())


def test_a_run_that_is_taken_leaves_nothing_to_choose(bench, run, make, tmp_path):
    done = bench("baseline", "--current", tmp_path, "--images", 3, "--output", tmp_path / "baseline.csv")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "leave out --images" in done.err
    done = bench("baseline", "--current", tmp_path / "gone", "--output", tmp_path / "baseline.csv")
    assert "gone' holds no finished run" in done.err
    assert not (tmp_path / "baseline.csv").exists()


def test_a_baseline_that_cannot_be_written_is_refused_before_anything_runs(make, monkeypatch):
    monkeypatch.setattr("bench.commands.baseline.measure_baseline", lambda sweep: pytest.fail("it ran"))
    done = make("/proc/baseline.csv")
    assert done.status == 2
    assert done.err.startswith("bench: output '/proc/baseline.csv' cannot be written")
    assert done.err.count("\n") == 1


def test_a_pipe_is_no_place_for_a_baseline(make, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = make("pipe")
    assert done.status == 2
    assert "is not a file" in done.err


def test_a_baseline_that_is_terminated_leaves_nothing_behind(make, tmp_path, monkeypatch):
    """Also while the machine is calibrated, when no sweep is at work."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("bench.commands.baseline.calibrate", lambda backend: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, lambda number, frame: pytest.fail("the signal ended the process"))
    try:
        assert make().status == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "baseline.csv").exists()


def test_costs_have_processor_time_where_the_runner_measured_it(make, tmp_path, monkeypatch):
    def with_processor_time(*arguments: object) -> pd.DataFrame:
        table = timing_table(*arguments)
        spread = {f"solve_cpu_ms_per_image_{name}": 2 * table[f"solve_ms_per_image_{name}"] for name in SPREAD}
        return table.assign(**spread)

    monkeypatch.setattr("bench.commands.run.timing_table", with_processor_time)
    make(images=1)
    for cost in read_baseline(tmp_path / "baseline.csv").costs:
        assert cost.cpu.median == pytest.approx(2 * cost.wall.median, rel=1e-3)


# ---- the machine


@pytest.mark.parametrize("name", ["torch", "numpy"])
def test_a_calibration_is_the_time_of_one_image(name):
    assert 1e-6 < calibrate(Backend(name)).seconds < 1e-2


def test_two_calibrations_stand_for_what_was_between_them():
    def quiet(seconds: float) -> Calibration:
        return Calibration(seconds, quiet=True)

    assert steady(quiet(1.0), quiet(1.2)) == pytest.approx(1.1)
    assert steady(quiet(2.0), quiet(1.0)) is None
    assert steady(quiet(1.0), Calibration(1.0, quiet=False)) is None


def test_a_machine_that_gives_its_time_to_others_is_busy(monkeypatch):
    monkeypatch.setattr("bench.gate.calibration.time.thread_time", lambda: 0.0)
    assert not calibrate(Backend()).quiet


def test_a_fingerprint_is_that_of_the_machine_and_its_libraries():
    here = fingerprint(Backend())
    assert here == fingerprint(Backend())
    assert {"processor", "cores", "threads", "precision", "kernels", "numpy", "torch"} <= set(here)
    assert here != fingerprint(Backend(threads=2))
    assert not any(np.isscalar(value) and "/" in str(value) for value in here.values())
