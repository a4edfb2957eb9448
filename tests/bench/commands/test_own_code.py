"""Solvers and image sets of a file, from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from bench.executors.code import data_digest
from bench.executors.plugins import describe
from datasets import load_images

SOLVER = """
import numpy as np
from pydantic import Field
from shared_by_mine import POWER

from solvers import Information, Reconstruction, Solver, Status


class Mine(Solver):
    '''All phases are zero.'''

    power: float = Field(POWER, description="of the magnitudes")
    title: str = "none"

    def information(self):
        return Information()

    def solve(self, measurement, rng):
        images = np.fft.ifft2(np.sqrt(measurement.intensities) ** self.power).real
        ones = np.ones(len(measurement), dtype=np.int64)
        return Reconstruction(images, ones * 1.0, ones, ones, ones, [Status.STOPPED] * len(measurement))
"""
IMAGES = """
import numpy as np

from datasets import ImageSet, ImageSource


class Noise(ImageSource):
    '''Noise without end.'''

    size: int = 8

    def read(self, split, folder=None):
        pixels = np.random.default_rng(0).random((4, self.size, self.size))
        return ImageSet(self.label, split, pixels, None, "a generator", f"{self.size}")
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to be in, with a solver, what it imports, and images of one's own."""
    (tmp_path / "mine.py").write_text(SOLVER)
    (tmp_path / "shared_by_mine.py").write_text("POWER = 1.0\n")
    (tmp_path / "noise.py").write_text(IMAGES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if "@" in name or name == "shared_by_mine"]:
        del sys.modules[name]


@pytest.mark.slow
def test_a_solver_of_a_file_runs_on_images_of_a_file_in_processes_alone(here, run, rows):
    asked = {"dataset": "./noise.py[size=6]", "variants": "none", "executor": "processes", "images": 2}
    labels = './mine.py,mine.py:Mine[power=0.5,title="a:b,c]="]'
    done = run(solvers=labels, **asked)
    assert done.status == 0, done.err
    assert not [name for name in sys.modules if name.startswith(("mine@", "shared_by"))], "the owner runs no solver"
    assert set(rows()["solver"]) == {"mine.py:Mine", 'mine.py:Mine[power=0.5,title="a:b,c]="]'}
    assert set(rows()["dataset"]) == {"noise.py:Noise[size=6]"}


@pytest.mark.slow
def test_a_solver_of_a_file_is_known_by_its_file_and_by_what_that_imports(here):
    before = describe("./mine.py")
    assert describe(f"{here}/mine.py[power=1]") == before
    (here / "shared_by_mine.py").write_text("POWER = 1.0  # edited\n")
    assert describe("mine.py").code != before.code
    (here / "shared_by_mine.py").write_text("POWER = 1.0\n")
    (here / "elsewhere").mkdir()
    for name in ("mine.py", "shared_by_mine.py"):
        (here / "elsewhere" / name).write_text((here / name).read_text())
    copy = describe("elsewhere/mine.py")
    assert (copy.label, copy.code) == ("elsewhere/mine.py:Mine", before.code), "where it lies is no part of the code"


def test_the_code_of_an_image_set_decides_its_pixels(here):
    before = data_digest("noise.py", load_images("noise.py"))
    (here / "noise.py").write_text(IMAGES.replace("default_rng(0)", "default_rng(1)"))
    assert data_digest("noise.py", load_images("noise.py")) != before
    sample = load_images("sample")
    assert data_digest("sample", sample) == sample.digest


@pytest.mark.slow
def test_a_solver_of_a_file_is_verified(here, bench):
    done = bench("verify", "--solvers", "./mine.py")
    assert done.status == 3
    assert "✓  right shapes and types" in done.out
    assert "✗  residual as it is defined" in done.out


def test_a_file_is_listed_with_all_that_it_defines(here, bench):
    (here / "both.py").write_text(SOLVER + IMAGES)
    done = bench("list", "both.py")
    assert done.status == 0
    shown = " ".join(done.out.split())
    assert "both.py:Mine All phases are zero. uses nothing power = 1 of the magnitudes" in shown
    assert "both.py:Noise Noise without end. size = 8" in shown
    assert "Noise" not in bench("list", "both.py:Mine").out
    assert not [name for name in sys.modules if name.startswith("both@")]


def test_one_of_those_that_are_registered_is_listed_by_its_name(bench):
    shown = bench("list", "rrr").out
    assert shown.startswith("rrr ")
    assert "hio" not in shown
    assert bench("list", "atoms").out.startswith("atoms ")


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (None, 2, "there is no file './other.py'"),
        ("", 2, "'./other.py' defines no solver"),
        ("def (", 3, "cannot be imported: SyntaxError"),
        ("import os; os._exit(0)", 3, "the worker process died: exit status 0"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line_before_anything_is_written(
    here, bench, content, status, words
):
    if content is not None:
        Path("other.py").write_text(content)
    for command in (["run", "--output", "out"], ["verify"]):
        done = bench(*command, "--solvers", "./other.py")
        assert done.status == status
        assert words in done.err
        assert done.err.count("\n") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("power: float = Field(POWER,", "power = Field(POWER,", "'power' has no type"),
        ('title: str = "none"', "title = 0.9", "'title' has no type: write title: float = 0.9 for a parameter"),
        ('title: str = "none"', "title: np.ndarray = None", "which no label can write"),
        ('title: str = "none"', 'title: int = "none"', "title = none: takes a whole number"),
        ('title: str = "none"', 'title: "sr" = "none"', "declared as sr, which is not defined"),
    ],
)
def test_whoever_declares_a_parameter_wrongly_is_told_how(here, bench, monkeypatch, before, after, words):
    monkeypatch.setenv("COLUMNS", "300")
    Path("mine.py").write_text(SOLVER.replace(before, after))
    for command in (["run", "--output", "out", "--solvers"], ["verify", "--solvers"], ["list"]):
        done = bench(*command, "./mine.py")
        said = done.err or done.out
        assert words in said
        assert "validation error" not in said
        assert "pydantic" not in said.lower()
        assert command == ["list"] or done.err.count("\n") == 1


@pytest.mark.slow
def test_whoever_keeps_something_in_a_solver_is_told_where_it_belongs(here, bench, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    Path("mine.py").write_text(SOLVER.replace("        ones =", "        self.images = images\n        ones ="))
    words = "'images' cannot be set: Mine does not change once it is made; what changes from step to step is the state"
    done = run(solvers="./mine.py", variants="none", executor="processes")
    assert done.status == 3
    assert words in " ".join((done.out + done.err).split())
    assert words in " ".join(bench("verify", "--solvers", "./mine.py").out.split())


@pytest.mark.slow
def test_a_solver_of_a_file_is_checked_against_a_baseline(here, bench):
    asked = ["--dataset", "sample", "--variants", "none", "--images", 2, "--threads", 1]
    assert bench("baseline", "--solvers", "./mine.py[power=0.5]", *asked, "--output", "baseline.csv").status == 0
    assert bench("check", "--baseline", "baseline.csv").status == 0
    (here / "shared_by_mine.py").write_text("POWER = 0.5\n")
    done = bench("check", "--baseline", "baseline.csv")
    assert done.status == 3
    assert "it is called 'mine.py:Mine' now" in " ".join(done.out.split())
    Path("mine.py").unlink()
    done = bench("check", "--baseline", "baseline.csv")
    assert done.status == 3
    assert "there is no file 'mine.py'" in " ".join(done.out.split())


@pytest.mark.slow
def test_a_table_of_results_does_not_run_the_code_that_it_names(here, bench, run):
    assert run(solvers="./mine.py,er[iterations=1]", variants="none").status == 0
    Path("mine.py").write_text(f"open('{here}/trace', 'w')\n" + SOLVER)
    done = bench("compare", "out")
    assert done.status == 0, done.err
    assert "mine.py:Mine" in done.out
    assert not Path("trace").exists()


def test_only_a_learned_solver_of_a_file_can_be_trained(here, bench):
    done = bench("train", "--solver", "./mine.py", "--variant", "none")
    assert done.status == 2
    assert "solver './mine.py' has nothing to train: choose from" in done.err


def test_rows_of_two_files_of_one_name_are_apart(here, run, rows):
    Path("sub").mkdir()
    Path("sub/mine.py").write_text(SOLVER.replace("from shared_by_mine import POWER", "POWER = 0.5"))
    assert run(solvers="mine.py,sub/mine.py", variants="none", images=2).status == 0
    errors: pd.Series = rows().groupby("solver")["mse"].mean()
    assert errors["mine.py:Mine"] != errors["sub/mine.py:Mine"]
