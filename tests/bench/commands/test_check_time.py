"""Times are compared in units of the machine, and a pause of one process is never a regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.commands.check import judge_cost, judge_costs
from bench.gate.baseline import Baseline, Cost
from bench.gate.tolerances import TIME
from bench.gate.verdicts import Verdict
from datasets.problem import Problem


def spread_of(*shards: float, cpu: tuple[float, ...] = ()) -> Cost:
    """The cost of a solver whose shards took so many FFT pairs an image, by the clock and in processor time."""
    times = {"median": float(np.median(shards)), "low": min(shards), "high": max(shards)}
    used = {"cpu_median": float(np.median(cpu)), "cpu_low": min(cpu), "cpu_high": max(cpu)} if cpu else {}
    return Cost(solver="er", problem=Problem(dataset="sample", variant="none"), **times, **used)


def cost(scale: float = 1.0, **machine: object) -> Baseline:
    rows = pd.DataFrame([{**Problem(dataset="sample", variant="none").columns(), "solver": "er"}])
    costs = (spread_of(90 * scale, 100 * scale, 120 * scale),)
    return Baseline({}, {"processor": "a", "cores": 2, **machine}, "", costs, rows)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (0.5, Verdict.PASS),
        (1.4, Verdict.PASS),
        (1.6, Verdict.REGRESSION),
    ],
)
def test_time_is_compared_in_units_of_the_machines_fft(scale, expected):
    (found,) = judge_costs(TIME, cost(), cost(scale))
    assert found.verdict is expected
    assert "FFT pairs" in found.words


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # One shard: a pause of the machine looks like a slow solver, but uses no processor time.
        (spread_of(100), spread_of(400), Verdict.INCONCLUSIVE),
        (spread_of(100, cpu=(100,)), spread_of(400, cpu=(101,)), Verdict.INCONCLUSIVE),
        (spread_of(100, cpu=(100,)), spread_of(400, cpu=(400,)), Verdict.REGRESSION),
        (spread_of(100), spread_of(400, cpu=(400,)), Verdict.INCONCLUSIVE),
        (spread_of(90, 100), spread_of(400), Verdict.INCONCLUSIVE),
        # Several shards: each of them is slower than each one before, or the processor time says so.
        (spread_of(90, 110), spread_of(390, 410), Verdict.REGRESSION),
        (spread_of(90, 110), spread_of(100, 410), Verdict.INCONCLUSIVE),
        (spread_of(90, 110, cpu=(90, 100)), spread_of(105, 410, cpu=(90, 102)), Verdict.INCONCLUSIVE),
        (spread_of(90, 410, cpu=(90, 100)), spread_of(380, 420, cpu=(380, 410)), Verdict.REGRESSION),
        # Threads that no longer work side by side take longer, and use no more processor time.
        (spread_of(50, 55, cpu=(100, 101)), spread_of(99, 104, cpu=(100, 101)), Verdict.REGRESSION),
        # More processor time in the same time is no slower.
        (spread_of(100, cpu=(100,)), spread_of(101, cpu=(200,)), Verdict.PASS),
    ],
)
def test_a_longer_time_is_a_regression_where_shards_or_processor_time_agree(before, after, expected):
    assert judge_cost(TIME, before, after, images=64)[0] is expected


def test_the_cold_start_of_a_process_is_not_the_solvers():
    """A process starts its threads in its first shard, which may be another solver's now: 20 ms, 1 500 FFT pairs."""
    before, cold = (spread_of(20 + start, cpu=(20 + start,)) for start in (0, 1500 / 64))
    assert judge_cost(TIME, before, cold, images=64)[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("shards", [1, 2, 3])
def test_a_pause_in_one_of_the_shards_is_never_a_regression(shards, known):
    """Shards of 0.4 s, with their noise, of which one waits for 1.5 s."""
    rng = np.random.default_rng(4)

    def measured(pause: float) -> Cost:
        cpu = 100 * (1 + 0.03 * rng.standard_normal(shards))
        return spread_of(*(cpu + pause * (np.arange(shards) == 0)), cpu=tuple(cpu) if known else ())

    found = {judge_cost(TIME, measured(0), measured(375), images=64)[0] for _ in range(200)}
    assert found <= {Verdict.PASS, Verdict.INCONCLUSIVE}


def test_shards_that_overlap_in_time_prove_nothing():
    after = replace(cost(), costs=(spread_of(110, 160, 300),))
    assert [finding.verdict for finding in judge_costs(TIME, cost(), after)] == [Verdict.INCONCLUSIVE]


def test_time_is_not_compared_between_machines():
    (found,) = judge_costs(TIME, cost(), cost(3, processor="b"))
    assert found.verdict is Verdict.UNCOMPARED
    assert found.words == "other hardware: processor is b, in the baseline a"


def test_time_is_not_compared_where_a_machine_was_busy():
    (found,) = judge_costs(TIME, cost(), replace(cost(), costs=()))
    assert found.verdict is Verdict.UNCOMPARED
    assert "busy" in found.words
