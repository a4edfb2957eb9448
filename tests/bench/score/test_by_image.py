"""The image is the unit: what is known of it several times counts once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows
from hypothesis import given
from hypothesis import strategies as st

from bench.score.by_image import image_means, on_common_measurements
from bench.score.statistics import paired

ERRORS = st.lists(st.floats(0, 1), min_size=2, max_size=12).map(np.array)


@given(ERRORS, st.integers(1, 13))
def test_the_mean_of_equal_numbers_is_that_number(errors, seeds):
    repeated = pd.concat([result_rows("er", errors, seed=seed) for seed in range(seeds)])
    np.testing.assert_array_equal(image_means(repeated, ["mse"])["mse"], errors)


@pytest.mark.slow
@given(ERRORS, ERRORS, st.integers(2, 13))
def test_rows_repeated_under_other_seeds_change_no_comparison(a, b, seeds):
    a, b = (result_rows("er", errors[: min(len(a), len(b))]) for errors in (a, b))
    repeated = pd.concat([a.assign(seed=seed) for seed in range(seeds)])
    once = paired(*(part["mse"].to_numpy() for part in on_common_measurements(a, b, ["mse"])))
    assert paired(*(part["mse"].to_numpy() for part in on_common_measurements(repeated, b, ["mse"]))) == once


def test_the_seeds_of_an_image_are_averaged(rng):
    errors = rng.random((5, 20))
    rows = pd.concat([result_rows("er", one, seed=seed) for seed, one in enumerate(errors)])
    np.testing.assert_allclose(image_means(rows, ["mse"])["mse"], errors.mean(axis=0))


def test_a_failed_seed_leaves_the_residual_of_the_others():
    rows = pd.concat(
        [result_rows("er", np.ones(2), seed=seed).assign(residual=[r, 3]) for seed, r in ((0, np.nan), (1, 5))]
    )
    assert image_means(rows, ["residual"])["residual"].tolist() == [5, 3]
