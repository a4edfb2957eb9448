"""Intervals that contain what they claim to contain, as often as they claim."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_1samp, wilcoxon

from bench.score.statistics import (
    Paired,
    bootstrap_mean,
    bootstrap_means,
    holm,
    paired,
    signed_rank,
    student_mean,
    success_interval,
    wilson,
)


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_a_bootstrap_interval_covers_the_mean_about_19_times_in_20(draw):
    rng = np.random.default_rng(0)
    mean = {"normal": 0.0, "exponential": 1.0}[draw]
    covered = 0
    for repetition in range(300):
        values = getattr(rng, f"standard_{draw}")(60)
        low, high = bootstrap_mean(values, resamples=200, seed=repetition)
        covered += low <= mean <= high
    assert 0.88 < covered / 300 < 0.985


def test_it_narrows_with_the_root_of_the_number_of_images(rng):
    widths = [np.subtract(*bootstrap_mean(rng.standard_normal(n))[::-1]) for n in (100, 10_000)]
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.25)
    assert widths[0] == pytest.approx(2 * 1.96 / np.sqrt(100), rel=0.25)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_it_contains_the_mean_and_stays_within_the_values(values):
    low, high = bootstrap_mean(np.array(values), resamples=200)
    assert min(values) - 1e-12 <= low <= np.mean(values) + 1e-12
    assert np.mean(values) - 1e-12 <= high <= max(values) + 1e-12


def test_the_same_images_have_the_same_interval(rng):
    values = rng.random(30)
    assert bootstrap_mean(values) == bootstrap_mean(values)


def test_one_image_has_no_interval():
    assert np.isnan(bootstrap_mean(np.array([0.3]))).all()


# Newcombe, Stat. Med. 17, 857 (1998), table I, method 3.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_has_its_published_values(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 1000), st.data())
def test_wilsons_interval_is_that_of_scipy(n, data):
    successes = data.draw(st.integers(0, n))
    expected = binomtest(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


# ---- shares: what an image's seeds succeeded with


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 11))
def test_with_one_seed_or_the_same_one_again_and_again_it_is_wilsons_interval_of_the_images(solved, seeds):
    shares = np.mean(np.tile(solved, (seeds, 1)), axis=0)
    assert success_interval(shares) == pytest.approx(wilson(sum(solved), len(solved)), abs=1e-12)


def test_ten_equal_seeds_of_32_images_are_32_images():
    assert success_interval(np.repeat([0.0, 1.0], 16)) == pytest.approx((0.336, 0.664), abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_where_all_images_end_alike_the_interval_is_no_point(share):
    low, high = success_interval(np.full(20, share))
    assert high - low == pytest.approx(0.161, abs=1e-3)


SHARES = st.integers(1, 7).flatmap(
    lambda seeds: st.lists(st.integers(0, seeds).map(lambda solved: solved / seeds), min_size=1, max_size=40)
)


@given(SHARES)
def test_it_contains_the_mean_share_and_is_no_wider_than_that_of_one_seed(shares):
    low, high = success_interval(np.array(shares))
    widest = wilson(sum(shares), len(shares))
    assert widest[0] - 1e-9 <= low <= np.mean(shares) + 1e-9
    assert np.mean(shares) - 1e-9 <= high <= widest[1] + 1e-9
    assert low < high


@given(SHARES)
def test_failures_are_to_it_what_successes_are(shares):
    low, high = success_interval(np.array(shares))
    assert success_interval(1 - np.array(shares)) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def chances(kind: str, p: float, images: int, rng: np.random.Generator) -> np.ndarray:
    """Each image's chance of success under one seed, of mean p."""
    return {
        "luck": np.full(images, p),
        "difficulty": (rng.random(images) < p).astype(float),
        "both": rng.beta(p, 1 - p, images),
        "some": 0.5 * (rng.random(images) < 2 * p),
    }[kind]


@pytest.mark.parametrize("seeds", [1, 3, 10])
@pytest.mark.parametrize("kind", ["luck", "difficulty", "both", "some"])
@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_it_covers_the_chance_of_success_about_19_times_in_20(kind, p, seeds):
    """Whether an image is solved by luck, because it is easy, or by both; 2 000 runs of 32 images each."""
    rng = np.random.default_rng(1)
    runs = [rng.binomial(seeds, chances(kind, p, 32, rng)) / seeds for _ in range(2000)]
    covered = np.mean([low <= p <= high for low, high in map(success_interval, runs)])
    assert 0.92 < covered <= 1
    if kind == "luck" and seeds == 10:  # every seed counts there: the interval is far narrower than that of 32 images
        narrow = np.mean([np.diff(success_interval(run))[0] for run in runs])
        assert narrow < 0.6 * np.diff(wilson(32 * p, 32))[0]


# ---- pairs


@pytest.mark.slow
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30))
def test_exchanging_two_methods_turns_everything_round(values):
    a, b = np.array(values), np.roll(np.abs(values), 1)
    forward, backward = paired(a, b), paired(b, a)
    assert forward.difference == pytest.approx(-backward.difference, abs=1e-12)
    assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low), abs=0.02)
    assert forward.win_rate == pytest.approx(1 - backward.win_rate)
    assert forward.p == pytest.approx(backward.p)


def test_samples_that_are_resampled_together_have_their_own_intervals(rng):
    samples = [rng.random(n) for n in (30, 1, 7, 30, 0, 30)]
    together = bootstrap_means(samples, resamples=200)
    for sample, interval in zip(samples, together, strict=True):
        np.testing.assert_allclose(interval, bootstrap_mean(sample, resamples=200), rtol=1e-12)
    assert together[0] != together[3]


def test_a_difference_on_the_same_images_is_seen_where_two_intervals_overlap(rng):
    difficulty = rng.random(60)
    a, b = difficulty, difficulty + 0.01 + 0.005 * rng.standard_normal(60)
    assert bootstrap_mean(a)[1] > bootstrap_mean(b)[0]
    found = paired(a, b)
    assert found.low < found.difference < found.high < 0
    assert found.p < 1e-6
    assert found.win_rate > 0.9


def test_a_method_against_itself_ties():
    found = paired(np.arange(5.0), np.arange(5.0))
    assert found == Paired(images=5, difference=0.0, low=0.0, high=0.0, p=1.0, win_rate=0.5)


@given(st.sets(st.integers(1, 500), min_size=1, max_size=9), st.data())
def test_the_signed_rank_test_counts_all_assignments_of_signs(sizes, data):
    signs = data.draw(st.lists(st.sampled_from([-1, 1]), min_size=len(sizes), max_size=len(sizes)))
    ranks = np.arange(1, len(sizes) + 1)
    observed = np.sum(ranks[np.array(signs) > 0])
    sums = np.array([np.sum(ranks[np.array(choice)]) for choice in product([False, True], repeat=len(sizes))])
    expected = min(1.0, 2 * min(np.mean(sums <= observed), np.mean(sums >= observed)))
    assert signed_rank(np.array(sorted(sizes)) * np.array(signs, dtype=float)) == pytest.approx(expected)


@pytest.mark.parametrize("size", [1, 2, 5, 13, 14, 50, 51, 200, 3000])
@pytest.mark.parametrize("shift", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("tied", [False, True])
def test_the_signed_rank_test_is_that_of_scipy(size, shift, tied, rng):
    for _ in range(5):
        differences = rng.standard_normal(size) + shift
        if tied:
            differences = np.round(3 * differences)
        told = differences[differences != 0]
        expected = wilcoxon(told).pvalue if len(told) else 1.0
        assert signed_rank(differences) == pytest.approx(expected, rel=1e-10, abs=1e-300)


def test_the_signed_rank_test_does_not_hide_what_is_no_number():
    assert np.isnan(signed_rank(np.array([0.1, np.nan, -0.3])))


def test_images_without_a_difference_say_nothing_about_its_sign():
    differences = np.array([0.3, -0.1, 0.5, 0.2, 0.7, 0.4])
    assert signed_rank(np.concatenate([differences, np.zeros(20)])) == signed_rank(differences)


# ---- several tests at once


def test_holms_correction_has_its_worked_values():
    # 0.01 × 4, 0.02 × 3 = 0.06, then 0.03 × 2 = 0.06, and 0.04 may not fall below it.
    np.testing.assert_allclose(holm([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1, 1])
    assert len(holm([])) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_holm_rejects_step_by_step_until_the_first_that_stands(p, level):
    rejected = set()
    for step, index in enumerate(np.argsort(p, kind="stable")):
        if p[index] * (len(p) - step) > level:
            break
        rejected.add(int(index))
    assert {int(i) for i in np.flatnonzero(holm(p) <= level)} == rejected


def test_holm_rarely_rejects_anything_where_nothing_differs(rng):
    assert np.mean([holm(rng.random(20)).min() < 0.05 for _ in range(2000)]) == pytest.approx(0.05, abs=0.015)


# ---- the interval of the gate


def test_students_interval_has_its_textbook_values():
    # Student, Biometrika 6, 1 (1908): additional hours of sleep, 10 patients; t(9, 97.5%) = 2.262.
    hours = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert student_mean(hours, confidence=0.95) == pytest.approx((0.700, 2.460), abs=1e-3)
    expected = ttest_1samp(hours, 0).confidence_interval(0.999)
    assert student_mean(hours, confidence=0.999) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert student_mean(hours[:1], confidence=0.95) == (-np.inf, np.inf)


@pytest.mark.parametrize("differ", [1.0, 0.1])
def test_at_a_level_near_one_it_errs_on_the_safe_side_for_symmetric_differences(rng, differ):
    """Where most images do not differ, the bootstrap at this level is wrong ten times too often."""
    wrong = 0
    for _ in range(4000):
        differences = rng.standard_normal(64) * (rng.random(64) < differ)
        low, high = student_mean(differences, confidence=0.99)
        wrong += not low <= 0 <= high
    assert wrong / 4000 < 0.016
