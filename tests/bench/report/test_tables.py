"""Tables are computed from rows alone, with the paper's figures beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.report.tables import summarise, table1, table2
from datasets.problem import Problem


def rows(*groups: tuple[str, str, list[float]], seed: int = 0) -> pd.DataFrame:
    """Rows of (variant, solver, errors)."""
    lines = [
        {
            **Problem(variant=variant).columns(),
            "solver": solver,
            "seed": seed,
            "image": image,
            "status": "stopped",
            "mse": mse,
            "pixel_mse": mse / 10,
            "residual": mse / 2,
            "iterations": 100,
            "starts": 1,
            "transforms": 200,
            "information": "support: box",
        }
        for variant, solver, errors in groups
        for image, mse in enumerate(errors)
    ]
    return pd.DataFrame(lines)


def test_success_is_counted_below_both_thresholds():
    (line,) = summarise(rows(("none", "er", [0.0, 5e-5, 1e-4, 0.009, 0.01, 1.0]))).to_dict("records")
    assert line["success_rate"] == pytest.approx(4 / 6)
    assert line["strict_success_rate"] == pytest.approx(2 / 6)
    assert line["success_low"] < 4 / 6 < line["success_high"]
    assert line["mse"] == pytest.approx(np.mean([0.0, 5e-5, 1e-4, 0.009, 0.01, 1.0]))
    assert line["median"] == pytest.approx((1e-4 + 0.009) / 2)


def test_several_seeds_of_an_image_do_not_pass_for_several_images(rng):
    errors = list(rng.random(40))
    once = summarise(rows(("none", "er", errors)))
    fivefold = summarise(pd.concat([rows(("none", "er", errors), seed=seed) for seed in range(5)]))
    assert fivefold["images"].tolist() == [40]
    assert fivefold["seeds"].tolist() == [5]
    pd.testing.assert_frame_equal(fivefold.drop(columns="seeds"), once.drop(columns="seeds"))


def test_an_image_counts_once_in_a_median_and_a_rate():
    """Of three images one is solved with two of three seeds; the median of the nine rows is 0."""
    seeds = [rows(("none", "er", [0.0, mse, 0.6]), seed=seed) for seed, mse in enumerate((0.0, 0.0, 0.6))]
    (line,) = summarise(pd.concat(seeds)).to_dict("records")
    assert line["median"] == pytest.approx(0.2)
    assert line["residual"] == pytest.approx(0.1)
    assert line["success_rate"] == pytest.approx(5 / 9)
    assert line["mse"] == pytest.approx(0.8 / 3)


def test_table_1_has_a_row_per_variant_in_the_papers_order_and_a_column_per_solver_in_ours():
    groups = [(v, s, [0.25]) for v in ("shift_flip", "none", "flip") for s in ("rrr", "alm", "er")]
    table = table1(summarise(rows(*groups)))
    assert list(table.columns) == ["variant", "rrr", "alm", "er"]
    assert list(table["variant"]) == ["none", "flip", "shift_flip"]
    assert (table[["rrr", "alm", "er"]] == 0.25).all().all()


def test_table_2_is_the_hardest_variant():
    summary = summarise(rows(("none", "alm", [0.0]), ("shift_flip", "alm", [0.4]), ("shift_flip", "er", [0.5])))
    table = table2(summary)
    assert list(table["solver"]) == ["alm", "er"]
    assert list(table["mse"]) == [0.4, 0.5]
    assert table["paper_mse"][0] == 0.299
    assert np.isnan(table["paper_mse"].astype(float)[1])


def test_table_2_is_empty_where_the_hardest_variant_was_not_run():
    table = table2(summarise(rows(("none", "er", [0.1]))))
    assert len(table) == 0
    assert list(table.columns)[:2] == ["solver", "mse"]


def test_failures_are_counted():
    found = rows(("none", "er", [1.0, 1.0, 0.1]))
    found.loc[:1, "status"] = "failed"
    assert summarise(found)["failed"].tolist() == [2]
    assert summarise(pd.concat([found, found.assign(seed=1)]))["failed"].tolist() == [2], "images, not rows"
