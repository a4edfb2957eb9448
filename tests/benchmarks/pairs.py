"""Two workloads measured alternately, so that whatever else the machine does slows both of them down.

Rounds of the one and of the other take turns within one benchmark: pytest-benchmark times the first, and the second
runs, with a clock of its own, as the setup of each round. Only their ratio is worth publishing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def compare(
    benchmark: Any,
    name: str,
    work: Callable[[], Any],
    over: Callable[[], Any],
    *,
    bar: str,
    rounds: int = 25,
    inverse: bool = False,
) -> None:
    """The ratio of the median times of `work` and `over`, with the quartiles of its rounds, in `extra_info`.

    Args:
        bar: what the ratio should be, as text; nothing is asserted about it.
        inverse: report `over` to `work`, a speed-up.
    """
    seconds: list[float] = []

    def reference() -> None:
        began = time.perf_counter()
        over()
        seconds.append(time.perf_counter() - began)

    benchmark.pedantic(work, setup=reference, rounds=rounds, warmup_rounds=1)
    if benchmark.disabled:
        return
    above, below = np.array(benchmark.stats.stats.data), np.array(seconds[-rounds:])
    if inverse:
        above, below = below, above
    low, high = np.quantile(above / below, [0.25, 0.75])
    benchmark.extra_info.update(
        ratio_name=name,
        ratio=float(np.median(above) / np.median(below)),
        ratio_low=float(low),
        ratio_high=float(high),
        bar=bar,
        median_above=float(np.median(above)),
        median_below=float(np.median(below)),
        rounds=rounds,
    )
