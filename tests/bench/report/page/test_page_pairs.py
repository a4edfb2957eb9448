"""Every pair is compared as `bench compare` compares it, however the runs overlap."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from finished_runs import finished, solved
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report.page.content import Content
from bench.report.page.pairs import matrices, pairs
from bench.report.page.runs import read_runs
from bench.score.by_image import on_common_measurements
from bench.score.statistics import paired, resampled_means

NUMBERS = ("images", "difference", "low", "high", "p")


MEASURED = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), unique=True, max_size=14)


@pytest.mark.slow
@given(st.lists(MEASURED, min_size=2, max_size=3), st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_pairs_are_those_of_each_two_alone(measured, seed):
    """Solvers on any images with any noises: each pair has what it would have without the others."""
    rng = np.random.default_rng(seed)
    parts = []
    for chosen in measured:
        whole = [solved("er", np.round(rng.random(10), 1), seed=noise, noise=str(noise)) for noise in (0, 1)]
        images = [sorted(image for image, of in chosen if of == noise) for noise in (0, 1)]
        parts.append(pd.concat([rows.iloc[of] for rows, of in zip(whole, images, strict=True)], ignore_index=True))
    found = pairs(parts)
    for a, b in combinations(range(len(parts)), 2):
        of_a, of_b = (part["mse"].to_numpy() for part in on_common_measurements(parts[a], parts[b], ["mse"]))
        assert ((a, b) in found) == (len(of_a) > 0)
        if len(of_a):
            alone = paired(of_a, of_b)
            for name in NUMBERS:
                assert getattr(found[a, b], name) == pytest.approx(getattr(alone, name), nan_ok=True, abs=1e-12)
            assert found[a, b].wins == (of_a < of_b).sum()
            assert found[a, b].ties == (of_a == of_b).sum()
            assert found[a, b].wins + found[a, b].ties + found[a, b].losses == found[a, b].images


def test_the_resampled_means_of_a_difference_are_the_difference_of_resampled_means(rng):
    a, b = rng.random((2, 20))
    together = resampled_means(np.stack([a, b], axis=1), resamples=50)
    np.testing.assert_allclose(together[:, 0] - together[:, 1], resampled_means((a - b)[:, None], resamples=50)[:, 0])


@pytest.fixture
def content(tmp_path, rng):
    errors = rng.random(40) / 2
    better = finished(tmp_path / "new", solved("rrr", errors / 2), solved("er", errors))
    return Content(read_runs([better, finished(tmp_path / "old", solved("rrr", errors))]))


def test_a_matrix_is_read_from_either_side(content):
    (table,) = matrices(content)["tables"]
    assert table["labels"] == ["new: rrr", "new: er", "old: rrr"]
    assert all(table["lines"][i][i] is None for i in range(3))
    there, back = table["lines"][0][1], table["lines"][1][0]
    assert (there["decided"], back["decided"]) == ("better", "worse")
    assert there["difference"].replace("−", "+") == back["difference"]
    assert there["wins"] == "40/0/0"
    assert back["wins"] == "0/0/40"
    assert there["p"] == back["p"] == "<1e-4"


def test_runs_are_compared_with_each_other_on_the_measurements_they_share(content):
    (table,) = matrices(content)["tables"]
    assert table["lines"][0][2]["decided"] == "better"
    assert table["lines"][1][2]["decided"] == "same"
    assert table["lines"][1][2]["wins"] == "0/40/0"


def test_a_single_solver_has_no_matrix(tmp_path):
    assert matrices(Content(read_runs([finished(tmp_path / "one", solved("er", [0.1, 0.2]))]))) is None
