"""A page shows runs as they were written, each under a name of its own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from finished_runs import finished, solved, vouch

from bench.errors import RequestError
from bench.report.page.runs import names, read_runs


@pytest.mark.parametrize(
    ("folders", "called"),
    [
        (["a/one"], ["one"]),
        (["a/one", "a/two"], ["one", "two"]),
        (["a/one", "b/one", "b/two"], ["a/one", "b/one", "two"]),
        (["a/b/one", "c/b/one"], ["a/b/one", "c/b/one"]),
    ],
)
def test_a_run_has_as_much_of_its_path_as_tells_it_from_the_others(folders, called):
    assert names([Path("/runs") / folder for folder in folders]) == called


def test_a_run_is_not_taken_twice(tmp_path):
    with pytest.raises(RequestError, match="is given twice"):
        names([tmp_path / "one", tmp_path / "one" / ".." / "one"])


def test_a_line_has_the_mean_error_of_its_rows_and_what_it_cost(tmp_path):
    folder = finished(tmp_path / "one", solved("er", [0.1, 0.3]), solved("rrr", [0.2, 0.2]), ms={"er": 5.0, "rrr": 7.0})
    (run,) = read_runs([folder])
    assert run.lines["mse"].tolist() == pytest.approx([0.2, 0.2])
    assert run.lines["solve_ms_per_image_median"].tolist() == [5.0, 7.0]
    assert run.lines["solve_ms_per_image_high"].tolist() == pytest.approx([6.0, 8.4])


def test_a_solver_without_a_time_and_a_run_without_a_table_of_times_have_none(tmp_path):
    rows = (solved("er", [0.1]), solved("rrr", [0.2]))
    timed, untimed = finished(tmp_path / "one", *rows, ms={"er": 5.0}), finished(tmp_path / "two", *rows)
    costs = [run.lines["solve_ms_per_image_median"].tolist() for run in read_runs([timed, untimed])]
    assert costs[0][0] == 5.0
    assert all(map(math.isnan, [costs[0][1], *costs[1]]))


def test_a_table_of_times_that_was_edited_is_refused(tmp_path):
    folder = finished(tmp_path / "one", solved("er", [0.1]), ms={"er": 5.0})
    path = folder / "timing.csv"
    path.write_text(path.read_text().replace("5", "1"))
    with pytest.raises(RequestError, match=r"timing.csv' is damaged, was edited.*: its checksum is not that"):
        read_runs([folder])


def test_rows_of_an_older_version_are_refused_by_the_column_that_they_lack(tmp_path):
    folder = finished(tmp_path / "one", solved("er", [0.1]))
    solved("er", [0.1]).drop(columns="residual").to_parquet(folder / "per_image.parquet")
    vouch(folder, "per_image.parquet")
    with pytest.raises(RequestError, match="it has no column 'residual'"):
        read_runs([folder])
