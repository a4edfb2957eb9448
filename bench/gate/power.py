"""How many images a tolerance needs: before a gate is trusted, one has to know what it would find."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from bench.gate.tolerances import Metric
from bench.gate.verdicts import Finding, as_printed, compared, confidence_of, named, pairs_of
from bench.sweep.rows import GROUP
from datasets.problem import Problem

POWER = 0.8  # the chance of finding what is there
MOST = 10**9  # images; nobody has more


@dataclass(frozen=True)
class Need:
    """What one metric of one solver takes.

    Attributes:
        spread: standard deviation of the differences over images; NaN where it is not known.
        between_seeds: it is that of two runs with other seeds, told from the seeds of the baseline.
        tolerance: the change that should be found, in units of the metric.
        images: that there are.
        needed: that it takes; None for more than MOST, or where the spread is not known.
        found: the smallest regression that the images there are find.
    """

    solver: str
    problem: Problem
    metric: str
    spread: float
    between_seeds: bool
    tolerance: float
    images: int
    needed: int | None
    found: float


def needs(before: pd.DataFrame, after: pd.DataFrame, metrics: tuple[Metric, ...]) -> list[Need]:
    """What each metric of each solver takes that was compared, at the confidence with which it was."""
    pairs = pairs_of(before, after)
    confidence = confidence_of(pairs, metrics)
    groups = dict(iter(as_printed(before).groupby(GROUP, sort=False)))
    found = []
    for which, pair in pairs:
        if isinstance(pair, Finding):
            continue
        solver, problem = named(which)
        for metric in compared(pair, metrics):
            old, new = (means[metric.name].to_numpy() for means in pair)
            spread = float(np.std(new - old, ddof=1)) if len(old) > 1 else math.nan
            between_seeds = not spread > 0
            if between_seeds:
                spread = seed_spread(groups[which], metric.name)
            allowed = metric.allowed(float(old.mean()))
            needed = images_needed(spread, allowed, confidence)
            least = smallest_found(spread, allowed, confidence, len(old))
            found.append(Need(solver, problem, metric.name, spread, between_seeds, allowed, len(old), needed, least))
    return found


def seed_spread(rows: pd.DataFrame, column: str) -> float:
    """Standard deviation over images of the difference of two runs like this one with other seeds; NaN for one seed.

    With k seeds each, and a variance v between the seeds of an image, the mean of an image has the variance v / k, and
    the difference of two such means 2 v / k; v is estimated within the images, and averaged over them.
    """
    by_image = rows.groupby("image")[column]
    seeds = by_image.count()
    variance = by_image.var(ddof=1)[seeds > 1]
    return math.sqrt(float((2 * variance / seeds[seeds > 1]).mean())) if len(variance) else math.nan


def power(spread: float, change: float, confidence: float, images: int) -> float:
    """The chance that Student's interval of so many images lies on the right side of zero.

    1 − F(t), where F is the noncentral t distribution with n − 1 degrees of freedom and noncentrality √n δ / s, for a
    change δ of differences with the standard deviation s, and t the quantile of the interval. For large n that is
    n = (t + z)² s² / δ², with z the normal quantile of the power.

    Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. (1988), ch. 2; D. B. Owen, J. Am.
    Stat. Assoc. 63, 445 (1968), for the distribution.
    """
    from scipy.special import nctdtr

    return float(1 - nctdtr(images - 1, math.sqrt(images) * change / spread, _quantile(images, confidence)))


def images_needed(spread: float, change: float, confidence: float, wanted: float = POWER) -> int | None:
    """The fewest images with which a change of this size is told from zero with this power; None for more than MOST.

    The gate calls a change a regression if it was also measured to be above the tolerance, which a change of exactly
    the tolerance is half of the time. With these images it calls one so, with the same power, that is larger than the
    tolerance by a factor 1 + z / (t + z): about a fifth (see `smallest_found`).
    """
    if math.isnan(spread) or change <= 0:
        return None
    if spread == 0:
        return 2
    most = 2
    while power(spread, change, confidence, most) < wanted:
        most *= 2
        if most > MOST:
            return None
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if power(spread, change, confidence, middle) >= wanted else (middle, most)
    return most


def smallest_found(spread: float, allowed: float, confidence: float, images: int, wanted: float = POWER) -> float:
    """The smallest change that the gate calls a regression with this power: max(tolerance, t e) + z e, e = s / √n.

    For what is measured lies around the change with the standard error e, and has to exceed both the tolerance and the
    half width t e of the interval. NaN where the spread is not known.
    """
    if math.isnan(spread) or images < 2:
        return math.nan
    error = spread / math.sqrt(images)
    return max(allowed, _quantile(images, confidence) * error) + NormalDist().inv_cdf(wanted) * error


def _quantile(images: int, confidence: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(images - 1, (1 + confidence) / 2))
