"""Ask the gate about pairs of runs that differ by luck alone, and about pairs in which one is worse.

    PYTHONPATH=. python tests/gate_pairs.py --pairs 800

Solvers whose result depends on their random start are run on the same images with many seeds. Any two of these runs
are a pair that differs by luck: the gate promises at most one false alarm in a thousand checks. A run and the same run
with every error 10% larger are a pair that must be told apart, and one with 1% larger errors is not called worse.

Prints the verdicts of each kind of pair; the exit status is 1 if there are more false alarms than the promise allows
for (with a chance below one in a thousand), or if a planted change is missed or a tolerated one is not.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter

import numpy as np
import pandas as pd
from doubles import result_rows
from scipy.stats import binom

from bench.gate.verdicts import FAMILY, Verdict, judge
from bench.score.metrics import adjusted_mse
from datasets import load_images, measure, place, placements
from solvers import Backend, Streams, create

LABELS = (
    "er[iterations=60]",
    "hio[iterations=150]",
    "raar[nonneg=true,iterations=150]",
    "rrr[nonneg=true,iterations=150]",
)
IMAGES = 48
WORSE, TOLERATED = 1.1, 1.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=800)
    count = parser.parse_args().pairs
    runs = [run_with(seed) for seed in range(runs_for(count))]
    lucky = list(itertools.islice(itertools.combinations(runs, 2), count))
    alarms = told("by luck", lucky)[Verdict.REGRESSION]
    missed = len(runs) - told("10% worse", [(run, scaled(run, WORSE)) for run in runs])[Verdict.REGRESSION]
    refused = told("1% worse", [(run, scaled(run, TOLERATED)) for run in runs])[Verdict.REGRESSION]
    allowed = int(binom.ppf(0.999, len(lucky), 1 - FAMILY))
    print(f"false alarms: {alarms} of {len(lucky)}, {allowed} are allowed; missed: {missed}; not tolerated: {refused}")
    return int(alarms > allowed or missed > 0 or refused > 0)


def runs_for(pairs: int) -> int:
    """How many runs have as many pairs."""
    return next(n for n in itertools.count(2) if n * (n - 1) // 2 >= pairs)


def run_with(seed: int) -> pd.DataFrame:
    """Rows of all solvers on the same images, from the random starts of this seed."""
    indices = np.arange(IMAGES)
    tiles = load_images("sample").tiles(indices)
    objects = place(tiles, placements("shift_flip", seed=0, split="test", indices=indices))
    measurement = measure(objects, indices=indices)
    rows = []
    for label in LABELS:
        solver = create(label)
        solver.prepare(Backend())
        rows.append(result_rows(label, adjusted_mse(objects, solver.solve(measurement, Streams(seed)).images)))
    return pd.concat(rows)


def scaled(run: pd.DataFrame, factor: float) -> pd.DataFrame:
    return run.assign(mse=run["mse"] * factor)


def told(kind: str, pairs: list[tuple[pd.DataFrame, pd.DataFrame]]) -> Counter[Verdict]:
    """The worst verdict of the gate on each pair."""
    order = (Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.PASS)
    found: Counter[Verdict] = Counter()
    for before, after in pairs:
        verdicts = {finding.verdict for finding in judge(before, after)}
        found[next(verdict for verdict in order if verdict in verdicts)] += 1
    print(f"{kind}: " + ", ".join(f"{number} {verdict}" for verdict, number in found.items()))
    return found


if __name__ == "__main__":
    sys.exit(main())
