"""What a row of results may hold, and what it may not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows

from bench.errors import RequestError
from bench.sweep.rows import IDENTITY, STATUSES, UNSOLVED, check_rows, failed, fault
from solvers import Status

COLUMNS = [*IDENTITY, "status", "mse", "transforms"]
GOOD = result_rows("er", np.linspace(0, 1, 8))


def test_every_way_to_leave_an_image_is_allowed():
    assert fault(GOOD.assign(status=list(STATUSES) + [Status.SOLVED] * (8 - len(STATUSES))), COLUMNS) == ""
    assert set(STATUSES) == {*map(str, Status), *UNSOLVED}


def test_an_image_without_a_reconstruction_is_one_of_an_unsolved_status():
    rows = GOOD.assign(status=["solved", "stopped", "diverged", "invalid", "failed", "timeout", "solved", "solved"])
    assert failed(rows)["image"].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "finished"}, ["'finished'", *STATUSES]),
        ({"status": 3}, ["'status'", "text"]),
        ({"transforms": -1}, ["'transforms'", "counts"]),
        ({"transforms": np.inf}, ["'transforms'", "counts"]),
        ({"transforms": "many"}, ["'transforms'", "counts"]),
        ({"mse": 1.01}, ["'mse'", "0 to 1"]),
        ({"mse": -0.01}, ["'mse'", "0 to 1"]),
        ({"mse": [np.nan, *[0.5] * 7]}, ["'mse'", "missing"]),
        ({"seed": 0.5}, ["'seed'", "whole numbers"]),
        ({"solver": 5}, ["'solver'", "text"]),
        ({"image": 0, "measurement": "same"}, ["two rows"]),
    ],
    ids=str,
)
def test_what_a_row_may_not_hold_is_named(tmp_path, change, words):
    with pytest.raises(RequestError) as refused:
        check_rows(GOOD.assign(**change), tmp_path / "rows", COLUMNS)
    for word in [str(tmp_path / "rows"), *words]:
        assert word in str(refused.value)


def test_a_table_without_rows_or_columns_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no rows"):
        check_rows(GOOD[:0], tmp_path, COLUMNS)
    for column in COLUMNS:
        with pytest.raises(RequestError, match=f"'{column}'"):
            check_rows(GOOD.drop(columns=column), tmp_path, COLUMNS)
    with pytest.raises(RequestError, match="'dataset'"):
        check_rows(pd.DataFrame(), tmp_path, COLUMNS)
