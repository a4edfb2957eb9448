"""A page says how images ended, and why and where a solver failed."""

from __future__ import annotations

import numpy as np
import pytest
from doubles import Blank, Broken, register_solvers
from finished_runs import finished, solved

from bench.commands.run import run_sweep
from bench.report.page.content import Content
from bench.report.page.endings import endings
from bench.report.page.runs import read_runs
from bench.request import request


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run of a solver that works and of one that does not, on three images in two shards."""
    register_solvers(monkeypatch, Blank, Broken)
    sweep = request(solvers=("blank", "broken"), variants=("none",), images=3, dataset="sample", shard=2, threads=1)
    run_sweep(sweep, tmp_path / "out", figures=False)
    return tmp_path / "out"


def told(folder):
    return endings(Content(read_runs([folder])))


def test_a_failure_has_its_reason_its_place_and_its_traceback(folder):
    (failure,) = told(folder)["failures"]
    assert failure["label"] == "broken"
    assert failure["images"] == "3 images"
    assert failure["which"] == "0, 1, 2"
    assert failure["reason"].startswith("ZeroDivisionError: the [/dial] was at [bold]eleven")
    assert "doubles.py:" in failure["reason"]
    assert failure["traceback"].rstrip().endswith("ZeroDivisionError: the [/dial] was at [bold]eleven")


def test_where_the_shards_are_gone_the_reason_is_left(folder):
    for path in (folder / "shards").iterdir():
        path.unlink()
    (failure,) = told(folder)["failures"]
    assert failure["reason"] == "ZeroDivisionError: the [/dial] was at [bold]eleven"
    assert failure["traceback"] == ""


def test_a_damaged_shard_says_nothing(folder):
    for path in (folder / "shards").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    (failure,) = told(folder)["failures"]
    assert failure["traceback"] == ""


def test_every_row_is_counted_once_by_its_status(tmp_path):
    rows = solved("er", np.linspace(0.1, 0.2, 5)).assign(status=["solved", "solved", "stopped", "diverged", "solved"])
    found = told(finished(tmp_path / "run", rows, solved("rrr", np.ones(5), status="timeout")))
    assert [status for status, _ in found["statuses"]] == ["solved", "stopped", "diverged", "timeout"]
    assert [line["counts"] for line in found["lines"]] == [["3", "1", "1", "0"], ["0", "0", "0", "5"]]
    (failure,) = found["failures"]
    assert (failure["status"], failure["reason"]) == ("timeout", "RuntimeError: out of light")
