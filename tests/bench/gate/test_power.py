"""How many images a tolerance needs: the formula against simulated gates, and against its own limits."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from bench.gate.power import POWER, images_needed, needs, power, seed_spread, smallest_found
from bench.gate.tolerances import METRICS, Metric
from bench.gate.verdicts import Verdict, judge_metric
from bench.score.statistics import student_mean

SPREAD, CHANGE = 0.1, 0.03


@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_so_many_images_tell_the_change_from_zero_as_often_as_promised(confidence, rng):
    images = images_needed(SPREAD, CHANGE, confidence)
    repeats = 4000
    differences = CHANGE + SPREAD * rng.standard_normal((repeats, images))
    found = np.mean([student_mean(one, confidence=confidence)[0] > 0 for one in differences])
    assert found == pytest.approx(POWER, abs=4 * math.sqrt(POWER * (1 - POWER) / repeats))


def test_the_gate_calls_the_smallest_change_that_is_found_a_regression_as_often_as_promised(rng):
    metric = Metric("mse", higher_is_better=False, tolerance=CHANGE, relative=False)
    confidence, repeats = 0.999, 2000
    for images in (60, 400):  # the interval is wider than the tolerance, and narrower
        change = smallest_found(SPREAD, CHANGE, confidence, images)
        before = np.zeros((repeats, images))
        after = change + SPREAD * rng.standard_normal(before.shape)
        verdicts = [judge_metric(metric, *pair, confidence)[0] for pair in zip(before, after, strict=True)]
        found = np.mean([verdict is Verdict.REGRESSION for verdict in verdicts])
        assert found == pytest.approx(POWER, abs=0.04)


@given(st.floats(1e-4, 10), st.floats(0.01, 1), st.floats(0.5, 0.99999))
def test_no_fewer_images_would_do(spread, share, confidence):
    change = spread * share
    images = images_needed(spread, change, confidence)
    assert power(spread, change, confidence, images) >= POWER
    assert images == 2 or power(spread, change, confidence, images - 1) < POWER


def test_for_many_images_it_is_the_formula_of_the_normal_distribution():
    expected = ((norm.ppf(0.975) + norm.ppf(POWER)) * 1.0 / 0.01) ** 2
    assert images_needed(1.0, 0.01, 0.95) == pytest.approx(expected, rel=1e-3)


def test_what_cannot_be_told_has_no_number():
    assert images_needed(math.nan, 0.1, 0.95) is None
    assert images_needed(1.0, 1e-9, 0.95) is None
    assert images_needed(0.0, 0.1, 0.95) == 2
    assert math.isnan(smallest_found(math.nan, 0.1, 0.95, 10))


def test_the_spread_between_seeds_is_that_of_two_runs_with_others(rng):
    """Two runs with two seeds each differ by 2 v / 2 in variance, of which the seeds of one run know v."""
    deviation = 0.05
    rows = pd.concat([result_rows("rrr", 0.5 + deviation * rng.standard_normal(4000), seed=seed) for seed in (0, 1)])
    runs = 0.5 + deviation * rng.standard_normal((2, 2, 4000)).mean(axis=1)
    assert seed_spread(rows, "mse") == pytest.approx(np.std(runs[1] - runs[0]), rel=0.05)
    assert math.isnan(seed_spread(rows[rows["seed"] == 0], "mse"))


def test_differences_count_before_the_seeds_of_the_baseline(rng):
    before = pd.concat([result_rows("rrr", 0.5 + 0.01 * rng.standard_normal(64), seed=seed) for seed in (0, 1)])
    after = before.assign(mse=before["mse"] + 0.1 * rng.standard_normal(128))
    unchanged, changed = (needs(before, rows, METRICS)[0] for rows in (before, after))
    assert (unchanged.between_seeds, changed.between_seeds) == (True, False)
    assert unchanged.spread == pytest.approx(0.01, rel=0.3)
    assert changed.spread == pytest.approx(0.1 / math.sqrt(2), rel=0.3)
    assert changed.needed > 10 * unchanged.needed
