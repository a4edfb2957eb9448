"""`bench check` from end to end: a solver that became worse fails the gate, one that nobody touched never does."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from doubles import Broken, register_solvers, write_run

import bench.commands.baseline
import bench.request
from bench.commands.check import check
from bench.errors import Exit
from bench.executors.inline import Inline
from bench.gate.baseline import Baseline, read_baseline, write_baseline
from bench.gate.calibration import Calibration
from bench.sweep.rows import FILE
from bench.sweep.shard import Shard
from datasets import load_images
from datasets.problem import Problem
from solvers import Backend
from solvers.projection.er import ErrorReduction
from solvers.registry import BUILT_IN

ER = "er[iterations=20]"
LUCKY = ("hio[nonneg=true,iterations=60]", "rrr[nonneg=true,iterations=60]")  # some images are solved, some are not


class TenPercentWorse(ErrorReduction):
    """Error reduction with noise of energy δ on top: the overlap 1 − r² becomes (1 − r²) / (1 + δ)."""

    def solve(self, measurement, rng, observer=None):
        found = super().solve(measurement, rng, observer)
        images = found.images.copy()
        box = images[:, :42, :42]  # er keeps its images there
        signs = np.random.default_rng(0).choice([-1, 1], box.shape)
        delta = 0.114  # for errors of about one half
        box += signs * np.sqrt(delta * np.mean(box**2, axis=(1, 2), keepdims=True))
        return replace(found, images=images)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(bench.request, "DEFAULT_EXECUTOR", "inline")
    monkeypatch.setattr(bench.commands.baseline, "calibrate", lambda backend: Calibration(1e-5, quiet=True))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A baseline of two solvers on 32 images."""
    from bench.commands.baseline import measure_baseline
    from bench.request import request

    path = tmp_path_factory.mktemp("made") / "baseline.csv"
    sweep = request(
        solvers=(ER, LUCKY[0]), variants=("none",), images=32, shard=8, dataset="sample", threads=1, executor="inline"
    )
    write_baseline(measure_baseline(sweep), path)
    return path


@pytest.fixture
def baseline(made, tmp_path) -> Path:
    return shutil.copy(made, tmp_path / "baseline.csv")


@pytest.fixture
def gate(bench, baseline):
    """`bench check` of that baseline; without the times, which belong to a test of their own."""

    def call(*arguments: object):
        return bench("check", "--baseline", baseline, "--tolerance", "time=1000", *arguments)

    return call


def words(text: str) -> str:
    return " ".join(text.split())


# ---- running again


def test_an_unchanged_solver_passes_and_differs_by_nothing(gate):
    done = gate()
    assert done.status == 0, done.out
    assert done.out.count("unchanged on every image") == 6
    assert "regression" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_solver_made_ten_percent_worse_fails(gate, baseline, monkeypatch):
    monkeypatch.setitem(BUILT_IN, "er", f"{__name__}:TenPercentWorse")
    done = gate()
    assert done.status == 1
    (line,) = re.findall(r"regression +mse +(.*)", done.out)
    before, after = (float(number) for number in re.findall(r"\d\.\d+", line)[:2])
    assert after / before == pytest.approx(1.1, abs=0.01)
    assert done.out.count("regression") == 2  # of one metric of one solver, and the count at the end
    assert gate("--tolerance", "mse=0.2,time=1000").status == 0


def test_other_seeds_are_another_draw_of_luck(gate):
    done = gate("--seed", "11,12")
    assert done.status == 0
    assert "other seeds" in words(done.out)
    assert "unchanged on every image" not in re.findall(r"mse +(.*)", done.out)


@pytest.mark.slow
def test_fifty_runs_of_unchanged_solvers_with_fresh_seeds_raise_no_alarm(tmp_path):
    place = Inline(load_images("sample"), Backend("torch"))

    def rows(seed: int) -> pd.DataFrame:
        problem = Problem(dataset="sample", variant="none")
        shards = [Shard(problem, label, seed, 0, 24) for label in (ER, *LUCKY)]
        return pd.concat([outcome.rows for outcome in place.run(shards)], ignore_index=True)

    path, folder = tmp_path / "baseline.csv", tmp_path / "run"
    write_baseline(Baseline({}, {}, "0.1.0", (), rows(0)), path)
    errors = []
    for seed in range(1, 51):
        now = rows(seed)
        write_run(folder, now)
        assert check(path, folder) is Exit.FINE, seed
        errors.append(now.groupby("solver")["mse"].mean())
    assert (pd.DataFrame(errors).std() > 0.005).all()  # luck was really drawn


def test_a_solver_that_is_gone_is_missing(gate, monkeypatch):
    monkeypatch.delitem(BUILT_IN, "er")
    done = gate()
    assert done.status == 3
    assert "missing" in done.out
    assert "unknown solver 'er'" in words(done.out)
    assert done.out.count("unchanged on every image") == 3  # the other one was compared


def test_a_check_that_is_stopped_does_not_promise_to_go_on(gate, monkeypatch):
    def stopped(sweep):
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.commands.check.measure_baseline", stopped)
    done = gate()
    assert done.status == Exit.STOPPED
    assert done.err.splitlines()[-1] == "bench: stopped"


def test_when_all_are_gone_nothing_runs(gate, monkeypatch):
    for name in ("er", "hio"):
        monkeypatch.delitem(BUILT_IN, name)
    assert gate().status == 3


# ---- a finished run


@pytest.fixture
def run(bench, tmp_path):
    def call(**options: object) -> Path:
        given = {"solvers": f"{ER},{LUCKY[0]}", "variants": "none", "images": 32, "dataset": "sample"} | options
        arguments = [part for key, value in given.items() for part in (f"--{key}", value)]
        bench("run", "--no-figures", "--threads", 1, *arguments, "--output", tmp_path / "run")
        return tmp_path / "run"

    return call


def test_a_finished_run_can_be_compared_instead(gate, run):
    done = gate("--current", run())
    assert done.status == 0
    assert done.out.count("unchanged on every image") == 6
    assert "time" not in done.out


def test_half_of_the_images_are_enough_and_it_is_said_how_many_there_are(gate, run):
    done = gate("--current", run(images=16))
    assert done.status == 0
    assert done.out.count("16 of 32 images") == 2


def test_fewer_than_half_of_the_images_pass_nothing(gate, run):
    done = gate("--current", run(images=2))
    assert done.status == 4
    assert done.out.count("2 of 32 images are too few") == 2
    assert "pass" not in re.sub("too few to pass", "", words(done.out))


def test_a_run_with_other_noise_has_nothing_to_compare(gate, run):
    done = gate("--current", run(photons=1e5, images=2))
    assert done.status == 4
    assert done.out == ""
    assert done.err.startswith("bench: nothing to compare")


def test_a_run_of_another_solver_has_nothing_to_compare(gate, run):
    assert gate("--current", run(solvers="rrr[iterations=1]", images=2)).status == 4


def test_a_run_without_one_of_the_solvers_misses_it(gate, run):
    done = gate("--current", run(solvers=ER, images=2))
    assert done.status == 3
    assert "there are no rows of it now" in words(done.out)


def test_a_run_in_which_a_solver_failed_says_why(gate, run, monkeypatch):
    register_solvers(monkeypatch, Broken)
    folder = run(solvers=f"{ER},{LUCKY[0]},broken", images=2)
    rows = pd.read_parquet(folder / FILE)
    broken = rows["solver"] == "broken"
    rows = rows[rows["solver"] != ER].assign(solver=rows["solver"].where(~broken, ER))
    write_run(folder, rows)
    done = gate("--current", folder)
    assert done.status == 3
    assert "failed on 2 of 2 images: ZeroDivisionError: the [/dial] was at [bold]eleven" in words(done.out)


# ---- outputs


def cases(path: Path) -> list[str]:
    """The tags of what a JUnit file says of its test cases."""
    return [part.tag for part in ET.parse(path).getroot().iterfind("testsuite/testcase/*")]


@pytest.mark.slow
def test_the_verdicts_are_written_for_others_however_the_check_ends(gate, run, tmp_path, monkeypatch):
    files = ("--junit", tmp_path / "new" / "check.xml", "--markdown", tmp_path / "check.md")
    folder = run()
    assert gate("--current", folder, *files).status == 0
    assert cases(tmp_path / "new" / "check.xml") == ["system-out"] * 6
    rows = pd.read_parquet(folder / FILE)
    write_run(folder, rows.assign(mse=(1.2 * rows["mse"]).clip(0, 1)))
    assert gate("--current", folder, *files).status == 1
    assert cases(tmp_path / "new" / "check.xml").count("failure") == 2  # of one metric of each solver
    assert "**regression**" in (tmp_path / "check.md").read_text()
    assert gate("--current", run(photons=1e5, images=2), *files).status == 4
    assert cases(tmp_path / "new" / "check.xml") == ["error"]
    assert "nothing to compare" in (tmp_path / "check.md").read_text()


def test_a_baseline_that_is_none_or_not_there_is_told_without_advice_to_write_over_it(bench, tmp_path):
    other = tmp_path / "summary.csv"
    for content in (b"solver,mse\n", b"\xff\xfe", b""):
        other.write_bytes(content)
        line = f"bench: '{other}' is no baseline: python -m bench baseline makes one, in another file\n"
        assert bench("check", "--baseline", other).err == line
    missing = tmp_path / "none.csv"
    line = f"bench: baseline '{missing}' cannot be read: No such file or directory\n"
    assert bench("check", "--baseline", missing).err == line


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "is no baseline"),
        (["--current", "nowhere"], "holds no finished run"),
        (["--current", "nowhere", "--seed", "3"], "leave it out with --current"),
        (["--tolerance", "mse=x"], "tolerance"),
    ],
)
def test_an_error_that_ends_the_check_is_written_with_its_reason(gate, baseline, tmp_path, arguments, why):
    xml, summary = tmp_path / "check.xml", tmp_path / "check.md"
    for file in (xml, summary):
        file.write_text("of the check before")
    if not arguments:
        baseline.write_text("nothing")
    done = gate("--junit", xml, "--markdown", summary, *arguments)
    assert done.status == 2
    assert cases(xml) == ["error"]
    assert why in xml.read_text()
    assert "**not compared**" in summary.read_text()
    assert done.err.count("\n") == 1


def test_a_check_that_is_stopped_is_not_one_that_passed(gate, tmp_path, monkeypatch):
    def stopped(sweep):
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.commands.check.measure_baseline", stopped)
    assert gate("--junit", tmp_path / "check.xml").status == 130
    assert cases(tmp_path / "check.xml") == ["error"]
    assert "it was stopped" in (tmp_path / "check.xml").read_text()


def test_an_output_that_cannot_be_written_is_said_and_the_other_one_is_written(gate, baseline, tmp_path):
    (tmp_path / "file").write_text("")
    unwritable, summary = tmp_path / "file" / "check.xml", tmp_path / "check.md"
    done = gate("--junit", unwritable, "--markdown", summary)
    assert done.status == 2
    assert f"output '{unwritable}' cannot be written" in done.err
    assert "passed" in summary.read_text()
    baseline.write_text("nothing")
    done = gate("--junit", unwritable, "--markdown", summary)
    assert done.status == 2
    said = done.err.splitlines()
    assert f"output '{unwritable}' cannot be written" in said[0]
    assert "is no baseline" in said[1]
    assert "**not compared**" in summary.read_text()


@pytest.mark.slow
def test_it_is_said_how_many_images_the_tolerances_need(gate, run):
    folder = run()
    done = gate("--current", folder, "--power")
    assert "without a spread: --seed gives other starts" in words(done.out)
    others = gate("--seed", "7,8", "--power")
    assert "without a spread: no image differs, or there is only one" in words(others.out)
    assert "--seed gives" not in others.out
    rows = pd.read_parquet(folder / FILE)
    luck = 0.05 * np.random.default_rng(0).standard_normal(len(rows))
    write_run(folder, rows.assign(mse=(rows["mse"] + luck).clip(0, 1)))
    done = gate("--current", folder, "--power")
    (line,) = re.findall(r"er\[iterations=20\] on none, 32 images\s+mse +(\S+) +(\S+) +(\d+) +(\S+)", done.out)
    tolerance, spread, images, found = map(float, line)
    assert spread == pytest.approx(0.05, rel=0.3)
    assert images > 32
    assert found > tolerance


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
def test_a_folder_for_a_file_is_refused_before_anything_runs(gate, tmp_path, option):
    done = gate(option, tmp_path)
    assert (done.status, done.out) == (2, "")
    assert "is a folder: name a file" in done.err


# ---- bad input


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {},
        {"metric": 1},
        {"solver": "er", "problem": {}, "median": "fast", "low": 1.0, "high": 2.0},
        {"solver": "er", "problem": {}, "median": 1.0, "low": -1.0, "high": 2.0},
        {"solver": 3, "problem": {}, "median": 1.0, "low": 1.0, "high": 2.0},
    ],
)
def test_a_baseline_with_an_odd_cost_is_one_line(gate, baseline, odd):
    rewritten(baseline, costs=[odd])
    done = gate()
    assert done.status == 2
    assert "header cannot be read" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("option", ["config", "data_dir", "colour"])
def test_a_baseline_with_an_odd_option_is_one_line(gate, baseline, option):
    found = read_baseline(baseline)
    rewritten(baseline, sweep={**found.sweep, option: "x"})
    done = gate()
    assert done.status == 2
    assert f"'{option}'" in done.err
    assert done.err.count("\n") == 1


def rewritten(path: Path, without: tuple[str, ...] = (), **header: object) -> None:
    """Change the header of a baseline, and give it the checksum that fits."""
    lines = path.read_text().splitlines(keepends=True)
    length = sum(line.startswith("#") for line in lines)
    values = json.loads("".join(line[2:] for line in lines[1:length])) | header
    table = "".join(lines[length:])
    for name in ("sha256", *without):
        del values[name]
    values["sha256"] = hashlib.sha256((json.dumps(values, sort_keys=True) + table).encode()).hexdigest()
    path.write_text(lines[0] + f"# {json.dumps(values)}\n" + table)


def test_a_baseline_of_an_older_version_is_read_without_processor_times_and_problems(made, baseline):
    before = read_baseline(baseline).rows
    costs = [{"solver": ER, "variant": "none", "median": 100.0, "low": 90.0, "high": 120.0}]
    sweep = {**read_baseline(baseline).sweep, "photons": None}
    rewritten(baseline, without=("problem",), costs=costs, sweep=sweep)
    pd.testing.assert_frame_equal(read_baseline(baseline).rows[before.columns], before)
    (found,) = read_baseline(baseline).costs
    assert (found.wall.median, found.cpu) == (100, None)


def test_something_that_is_not_a_file_is_not_read(bench, gate, tmp_path):
    """A pipe would keep the gate waiting, and a device without end would fill the memory."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        done = bench("check", "--baseline", path)
        assert done.status == 2
        assert f"'{path}'" in done.err
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / FILE)
    assert gate("--current", tmp_path / "run").status == 2


@pytest.mark.parametrize(
    "content", [b"", b"variant,solver\n", b"\xff\xfe\x00", b"# phasebench baseline 1\n", b"\x00" * 100]
)
def test_a_file_that_is_no_baseline_is_one_line(gate, baseline, content):
    baseline.write_bytes(content)
    done = gate()
    assert done.status == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert str(baseline) in done.err


def test_an_edited_baseline_is_one_line(gate, baseline):
    text = baseline.read_text()
    baseline.write_text(text[:-3] + "9" + text[-2:])
    done = gate()
    assert done.status == 2
    assert "checksum" in done.err


def test_a_sweep_that_cannot_run_is_one_line(gate, baseline):
    found = read_baseline(baseline)
    write_baseline(replace(found, sweep={**found.sweep, "precision": "float16"}), baseline)
    done = gate()
    assert done.status == 2
    assert "'float16'" in done.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--current", "nowhere"], "nowhere"),
        (["--tolerance", "psnr=1"], "psnr"),
        (["--seed", "x"], "x"),
        (["--seed", "1", "--current", "."], "--seed"),
    ],
)
def test_bad_options_are_one_line(gate, arguments, word):
    done = gate(*arguments)
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert word in done.err
