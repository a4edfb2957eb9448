"""What the gate watches, which way is better, and how much worse a method may become before that is a regression.

A tolerance is not there for chance, which the interval takes care of, but for what nobody would act on, and for what
another machine changes: rounding sends a chaotic iteration elsewhere on a single image, and the mean of a few dozen
images by a few percent. A magnitude residual is watched only where nobody knows the objects: without noise it
says what `mse` says, and with noise a smaller one can be a fit to the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bench.errors import RequestError


@dataclass(frozen=True)
class Metric:
    """A number that is compared.

    Attributes:
        higher_is_better: the direction; a change the other way is for the worse.
        tolerance: how much worse it may become without being a regression; a share of the baseline's mean where
            `relative`.
        known: whether it is watched where the objects are known, or where they are not; both if None.
        floor: what a relative tolerance never falls below: 5% of next to nothing is nothing.
    """

    name: str
    higher_is_better: bool
    tolerance: float
    relative: bool = True
    floor: float = 0.0
    known: bool | None = None

    def allowed(self, before: float) -> float:
        """How much worse it may become without being a regression, for this mean of the baseline."""
        return max(self.tolerance * abs(before), self.floor) if self.relative else self.tolerance


METRICS = (
    Metric("mse", higher_is_better=False, tolerance=0.05, floor=1e-4, known=True),
    Metric("success_rate", higher_is_better=True, tolerance=0.02, relative=False, known=True),
    Metric("residual", higher_is_better=False, tolerance=0.05, floor=1e-4, known=False),
    Metric("transforms", higher_is_better=False, tolerance=0.05),
)
COLD_START = (
    5_000  # FFT pairs that the first shard of a process may take longer than its others: 70 ms, where 20 are usual
)
TIME = Metric("time", higher_is_better=False, tolerance=0.5)  # a share: of the baseline's time, in units of an FFT


def watched(metrics: tuple[Metric, ...], *, known: bool) -> tuple[Metric, ...]:
    """Those of the metrics that are watched where the objects are known, or where they are not."""
    return tuple(metric for metric in metrics if metric.known in (None, known))


def with_tolerances(text: str) -> tuple[tuple[Metric, ...], Metric]:
    """METRICS and TIME, with other tolerances, as a user writes them: `mse=0.1,time=1`.

    Raises:
        RequestError: an unknown metric, or something else than a finite number from 0 on.
    """
    metrics = {metric.name: metric for metric in (*METRICS, TIME)}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise RequestError(f"--tolerance: cannot read '{item}': write metric=number")
        if name not in metrics:
            raise RequestError(f"--tolerance: unknown metric '{name}': choose from {', '.join(metrics)}")
        try:
            tolerance = float(value)
        except ValueError:
            tolerance = math.nan
        if not 0 <= tolerance < math.inf:
            raise RequestError(f"--tolerance: {name} needs a number from 0 on, got '{value}'")
        metrics[name] = replace(metrics[name], tolerance=tolerance)
    return tuple(metrics[metric.name] for metric in METRICS), metrics[TIME.name]
