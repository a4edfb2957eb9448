"""The gate's judgement, on errors that are made up: what is a regression, what is luck, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows
from hypothesis import given
from hypothesis import strategies as st

from bench.commands.check import status_of
from bench.errors import Exit, NothingComparableError, RequestError
from bench.gate.tolerances import METRICS, TIME, Metric, with_tolerances
from bench.gate.verdicts import Finding, Verdict, judge, judge_metric

MSE, SUCCESS_RATE, RESIDUAL, TRANSFORMS = METRICS


def spread(images: int = 64, seed: int = 1) -> np.ndarray:
    """Errors like those of an iteration without nonnegativity: around 0.4, none near zero."""
    return 0.3 + 0.2 * np.random.default_rng(seed).random(images)


def verdicts(before: pd.DataFrame, after: pd.DataFrame, metrics: tuple[Metric, ...] = METRICS) -> dict[str, Verdict]:
    return {finding.metric: finding.verdict for finding in judge(before, after, metrics)}


def test_what_has_not_changed_passes_however_few_images_there_are():
    rows = result_rows("er", np.array([0.123456789]))
    (mse, *_) = judge(rows.assign(mse=0.123457), rows)  # as a baseline file prints it
    assert mse.verdict is Verdict.PASS
    assert "unchanged" in mse.words


@pytest.mark.parametrize(("factor", "expected"), [(1.1, Verdict.REGRESSION), (1.02, Verdict.PASS), (0.5, Verdict.PASS)])
def test_ten_percent_worse_is_a_regression_and_two_percent_is_not(factor, expected):
    before = result_rows("er", spread())
    assert verdicts(before, before.assign(mse=before["mse"] * factor))["mse"] is expected


def test_the_same_change_between_lucky_and_unlucky_images_is_inconclusive():
    before = result_rows("hio", spread(16))
    luck = np.random.default_rng(0).permutation(np.repeat([-0.2, 0.3], 8))
    (mse, *_) = judge(before, before.assign(mse=before["mse"] + luck))
    assert mse.verdict is Verdict.INCONCLUSIVE
    assert "+0.05" in mse.words


def test_one_image_that_changed_proves_nothing():
    before = result_rows("er", spread(1))
    assert verdicts(before, before.assign(mse=before["mse"] * 1.5))["mse"] is Verdict.INCONCLUSIVE


def test_fewer_solved_images_are_a_regression_and_more_are_not():
    few, many = (np.where(np.arange(64) < solved, 1e-5, 0.3) for solved in (20, 50))
    assert verdicts(result_rows("rrr", many), result_rows("rrr", few))["success_rate"] is Verdict.REGRESSION
    assert verdicts(result_rows("rrr", few), result_rows("rrr", many))["success_rate"] is Verdict.PASS


def test_more_transforms_are_a_regression_at_the_same_error():
    before = result_rows("rrr", spread())
    found = verdicts(before, before.assign(transforms=np.arange(110, 174)))
    assert found == {"mse": Verdict.PASS, "success_rate": Verdict.PASS, "transforms": Verdict.REGRESSION}


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40),
    st.floats(0.9, 0.9999),
    st.sampled_from([MSE, SUCCESS_RATE]),
)
def test_a_change_and_its_reverse_are_never_both_regressions(pairs, confidence, metric):
    before, after = np.array(pairs).T
    there, back = (judge_metric(metric, *order, confidence)[0] for order in ((before, after), (after, before)))
    assert Verdict.REGRESSION not in (there, back) or there is not back
    if there is Verdict.REGRESSION:
        change = np.mean(after - before)
        assert change < -metric.allowed(0) if metric.higher_is_better else change > metric.allowed(before.mean())


@pytest.mark.slow
def test_luck_alone_raises_one_alarm_in_a_thousand_checks_at_most():
    """Two runs of an iteration that solves 60% of the images by luck, on other images each time; 5 solvers each."""
    rng = np.random.default_rng(5)

    def run() -> pd.DataFrame:
        luck = [np.where(rng.random(32) < 0.6, 1e-6, 0.2 + 0.2 * rng.random(32)) for _ in range(5)]
        return pd.concat([result_rows(f"solver {i}", errors) for i, errors in enumerate(luck)])

    alarms = sum(Verdict.REGRESSION in {f.verdict for f in judge(run(), run())} for _ in range(60))
    assert alarms == 0


@pytest.mark.slow
def test_the_interval_widens_with_the_number_of_comparisons():
    rng = np.random.default_rng(2)
    before, after = spread(40), spread(40) + 0.03 + 0.04 * rng.standard_normal(40)
    alone = judge(result_rows("er", before), result_rows("er", after), (MSE,))
    many = judge(
        pd.concat([result_rows(f"solver {i}", before) for i in range(100)]),
        pd.concat([result_rows(f"solver {i}", after) for i in range(100)]),
        (MSE,),
    )
    assert alone[0].verdict is Verdict.REGRESSION
    assert {finding.verdict for finding in many} == {Verdict.INCONCLUSIVE}


# ---- what is not there


def test_a_solver_without_rows_is_missing_and_one_that_failed_is_said_with_its_reason():
    before = pd.concat([result_rows(name, spread()) for name in ("er", "rrr", "hio")])
    after = pd.concat([result_rows("er", spread()), result_rows("hio", np.ones(64), status="timeout")])
    found = {finding.solver: finding for finding in judge(before, after, (MSE,))}
    assert found["er"].verdict is Verdict.PASS
    assert found["rrr"].verdict is Verdict.MISSING
    assert found["hio"].verdict is Verdict.FAILED
    assert "64 of 64 images: RuntimeError: out of light" in found["hio"].words


def test_other_noise_cannot_be_compared():
    before = pd.concat([result_rows("er", spread()), result_rows("rrr", spread())])
    after = pd.concat([result_rows("er", spread(), noise="another"), result_rows("rrr", spread())])
    found = {finding.solver: finding.verdict for finding in judge(before, after, (MSE,))}
    assert found == {"er": Verdict.UNCOMPARED, "rrr": Verdict.PASS}
    with pytest.raises(NothingComparableError):
        judge(before[before["solver"] == "er"], after)


def test_less_than_half_of_the_images_can_fail_but_not_pass():
    before, few = result_rows("er", spread()), result_rows("er", spread()[:31])
    (found,) = judge(before, few, (MSE,))
    assert found.verdict is Verdict.UNCOMPARED
    assert "31 of 64 images" in found.words
    worse = judge(before, few.assign(mse=few["mse"] * 1.2), (MSE,))
    assert [finding.verdict for finding in worse] == [Verdict.REGRESSION, Verdict.UNCOMPARED]
    (enough,) = judge(before, result_rows("er", spread()[:32]), (MSE,))
    assert (enough.verdict, enough.images, enough.total) == (Verdict.PASS, 32, 64)


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([Verdict.PASS, Verdict.INCONCLUSIVE], Exit.FINE),
        ([Verdict.PASS, Verdict.UNCOMPARED], Exit.NOTHING),
        ([Verdict.REGRESSION, Verdict.UNCOMPARED], Exit.REGRESSION),
        ([Verdict.FAILED, Verdict.REGRESSION, Verdict.UNCOMPARED], Exit.SOLVER),
        ([Verdict.MISSING, Verdict.UNCOMPARED], Exit.SOLVER),
    ],
)
def test_what_was_not_compared_does_not_pass(verdicts, status):
    findings = [Finding("er", "none", "mse", verdict, "") for verdict in verdicts]
    assert status_of(findings) is status
    time = Finding("er", "none", TIME.name, Verdict.UNCOMPARED, "other hardware")
    assert status_of([*findings, time]) is status, "times on other hardware are not expected to compare"


def test_one_image_has_no_interval():
    before = result_rows("er", spread(1))
    (found,) = judge(before, before.assign(mse=0.9), (MSE,))
    assert "one image: no interval" in found.words
    assert "inf" not in found.words


def test_rows_repeated_under_other_seeds_change_no_interval():
    before, after = (result_rows("er", spread(seed=seed)) for seed in (1, 2))
    repeated = [pd.concat([rows.assign(seed=seed) for seed in range(7)]) for rows in (before, after)]
    assert judge(*repeated) == judge(before, after)
    assert judge(before, repeated[1]) == judge(before, after)


def test_images_are_counted_and_not_their_seeds():
    lost = pd.concat([result_rows("er", np.ones(8), status="failed", seed=seed) for seed in (0, 1)])
    (found,) = judge(result_rows("er", spread(8)), lost, (MSE,))
    assert "on 8 of 8 images" in found.words


# ---- tolerances


def test_a_relative_tolerance_has_a_floor():
    assert MSE.allowed(0.4) == pytest.approx(0.02)
    assert MSE.allowed(1e-6) == 1e-4


def test_a_tolerance_can_be_set_by_its_name():
    metrics, time = with_tolerances(" mse=0.2, time = 1 ")
    others = [metric.tolerance for metric in (SUCCESS_RATE, RESIDUAL, TRANSFORMS)]
    assert [metric.tolerance for metric in metrics] == [0.2, *others]
    assert time.tolerance == 1
    assert with_tolerances("") == (METRICS, TIME)
    before = result_rows("er", spread())
    assert verdicts(before, before.assign(mse=before["mse"] * 1.1), metrics)["mse"] is Verdict.PASS


@pytest.mark.parametrize("text", ["mse", "mse=", "mse=-1", "mse=nan", "mse=inf", "psnr=1", "mse=x"])
def test_a_bad_tolerance_is_refused(text):
    with pytest.raises(RequestError, match="--tolerance"):
        with_tolerances(text)
