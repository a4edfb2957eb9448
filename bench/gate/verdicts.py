"""The gate's judgement: is a method worse than it was, on the same measurements, by more than it may be?

For every problem, solver and metric there is one paired difference for each image, and an interval around their mean:

- **regression**: the change for the worse is above the tolerance, and its interval excludes zero;
- **pass**: the whole interval is below the tolerance, or nothing has changed;
- **inconclusive**: neither; chance could explain the change, or hide one, and more images or seeds would tell.

With the baseline's own seeds, a deterministic solver that nobody touched differs by exactly nothing. With other seeds,
or after a change that only reorders its rounding, an iteration that depends on luck ends elsewhere on single images,
for better as often as for worse: the differences are symmetric around zero, and Student's interval covers it. All
intervals of a check hold *together* with FAMILY (Bonferroni's inequality, whatever depends on whatever): one check in
a thousand raises a false alarm, however many solvers and variants it looks at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import NothingComparableError
from bench.gate.tolerances import METRICS, Metric, watched
from bench.score.by_image import on_common_measurements
from bench.score.metrics import SUCCESS
from bench.score.statistics import student_mean
from bench.sweep.rows import GROUP, failed, knows_truth, scored
from datasets.problem import COLUMNS, Problem

FAMILY = 0.999
COVERAGE = 0.5  # of the baseline's images must be there: what most of it says nothing about is not passed by the rest
DIGEST = 16  # hexadecimal digits of a measurement's SHA-256 that a baseline keeps: 64 bits name it well enough


class Verdict(StrEnum):
    """What became of one metric of one solver on one problem."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    REGRESSION = "regression"
    FAILED = "failed"  # the solver raised an error, ran out of time or was killed
    MISSING = "missing"  # the solver has no rows, or is not installed
    UNCOMPARED = "not compared"  # too little in common, or other hardware


@dataclass(frozen=True)
class Finding:
    """A verdict, and its reason in words and numbers.

    Attributes:
        images, total: images judged by, of those of the baseline; 0 where the verdict is not about images.
    """

    solver: str
    problem: Problem | None
    metric: str
    verdict: Verdict
    words: str
    images: int = 0
    total: int = 0


def judge(before: pd.DataFrame, after: pd.DataFrame, metrics: tuple[Metric, ...] = METRICS) -> list[Finding]:
    """Compare the rows of a baseline with rows of now, in the order of the baseline.

    A solver with less than COVERAGE of the baseline's images can fail here, but not pass.

    Raises:
        NothingComparableError: not one solver has rows of now on a measurement that the baseline has.
    """
    pairs = pairs_of(before, after)
    confidence = confidence_of(pairs, metrics)
    totals = before.groupby(GROUP)["image"].nunique()
    findings = []
    for which, pair in pairs:
        if isinstance(pair, Finding):
            findings.append(pair)
            continue
        solver, problem = named(which)
        images, total = len(pair[0]), int(totals[which])
        found = []
        for metric in compared(pair, metrics):
            old, new = (means[metric.name].to_numpy() for means in pair)
            verdict, words = judge_metric(metric, old, new, confidence)
            found.append(Finding(solver, problem, metric.name, verdict, words, images, total))
        if images < COVERAGE * total:
            words = f"{images} of {total} images are too few to pass: it takes {COVERAGE:.0%} of them"
            found = [finding for finding in found if finding.verdict is Verdict.REGRESSION]
            found.append(Finding(solver, problem, "", Verdict.UNCOMPARED, words, images, total))
        findings += found
    if not any(finding.images or finding.verdict is Verdict.FAILED for finding in findings):
        raise NothingComparableError("nothing to compare: none of the baseline's solvers and measurements is here")
    return findings


def judge_metric(metric: Metric, before: NDArray, after: NDArray, confidence: float) -> tuple[Verdict, str]:
    """The verdict on one metric, from values (images,) on the same images, and its reason."""
    if np.array_equal(before, after):
        return Verdict.PASS, f"{before.mean():.4g}, unchanged on every image"
    change, (low, high) = float(np.mean(after - before)), student_mean(after - before, confidence=confidence)
    interval = f"[{low:+.2g}, {high:+.2g}]" if len(before) > 1 else "one image: no interval"
    sign = -1 if metric.higher_is_better else 1
    worst, best = (high, low) if sign > 0 else (-low, -high)
    allowed = metric.allowed(float(before.mean()))
    words = f"{before.mean():.4g} → {after.mean():.4g}, {change:+.2g} {interval}, tolerance {sign * allowed:+.2g}"
    if sign * change > allowed and best > 0:
        return Verdict.REGRESSION, words
    return (Verdict.PASS if worst <= allowed else Verdict.INCONCLUSIVE), words


# The problem and solver of rows of the baseline, with the means of each image then and now, or what there is to say.
Pairs = list[tuple[tuple, Finding | tuple[pd.DataFrame, pd.DataFrame]]]


def pairs_of(before: pd.DataFrame, after: pd.DataFrame) -> Pairs:
    """What can be compared of the rows of a baseline with rows of now, in the order of the baseline."""
    return list(_pairs(as_printed(before), as_printed(after)))


def confidence_of(pairs: Pairs, metrics: tuple[Metric, ...]) -> float:
    """The confidence of each interval with which all of them hold together with FAMILY."""
    comparisons = sum(len(compared(pair, metrics)) for _, pair in pairs if isinstance(pair, tuple))
    return 1 - (1 - FAMILY) / max(comparisons, 1)


def compared(pair: tuple[pd.DataFrame, pd.DataFrame], metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """The metrics by which two tables of means are judged: those that both of them have."""
    return tuple(metric for metric in metrics if metric.name in pair[0])


def _pairs(
    before: pd.DataFrame, after: pd.DataFrame
) -> Iterator[tuple[tuple, Finding | tuple[pd.DataFrame, pd.DataFrame]]]:
    there = dict(iter(after.groupby(GROUP, sort=False)))
    for which, old in before.groupby(GROUP, sort=False):
        (solver, problem), new = named(which), there.get(which)
        if new is None:
            yield which, Finding(solver, problem, "", Verdict.MISSING, "there are no rows of it now")
            continue
        lost = failed(new)
        if len(lost):
            reason = " ".join(str(lost.get("reason", lost["status"]).iloc[0]).split())
            images, total = lost["image"].nunique(), new["image"].nunique()
            words = f"on {images} of {total} images: {reason or lost['status'].iloc[0]}"
            yield which, Finding(solver, problem, "", Verdict.FAILED, words)
            continue
        names = [metric.name for metric in watched(METRICS, known=knows_truth(old))]
        pair = on_common_measurements(scored(old), scored(new), names)
        if pair[0].empty:
            words = "no measurement in common: other images, other noise or another data set"
            yield which, Finding(solver, problem, "", Verdict.UNCOMPARED, words)
            continue
        yield which, pair


def named(which: tuple) -> tuple[str, Problem]:
    """The solver and the problem of a group of rows."""
    *setting, solver = which
    return str(solver), Problem(**dict(zip(COLUMNS, setting, strict=True)))


def as_printed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the digits of a baseline file, so that what has not changed differs by exactly nothing."""
    numbers = [name for name in ("mse", "residual") if name in rows]
    printed = rows[numbers].map(lambda value: float(f"{value:.6g}"))
    return rows.assign(
        **printed,
        success_rate=(printed["mse"] < SUCCESS).astype(float),
        transforms=rows["transforms"].astype(float),
        measurement=rows["measurement"].str.slice(0, DIGEST),
    )
