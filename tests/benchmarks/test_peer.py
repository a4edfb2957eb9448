"""The same images, the same iterations of the same map, by this package and by the best peer on PyPI."""

from __future__ import annotations

import numpy as np
import pytest
from pairs import compare
from workloads import ONE_THREAD, sample

from bench.metrics import SUCCESS, adjusted_mse
from solvers import Streams, create

peer = pytest.importorskip("peer", reason="solvephase is not installed: pip install -e '.[benchmark]'")
pytestmark = pytest.mark.benchmark(group="peer")
BETA = 0.5  # solvephase's own choice


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("AOCORE_FFT_WORKERS", "1")


def ours(measurement, iterations: int):
    solver = create(f"rrr[nonneg=true,beta={BETA},iterations={iterations},tolerance=0]")
    solver.prepare(ONE_THREAD)
    return solver.solve(measurement, Streams(0)).images


def test_both_solve_the_same_images(benchmark):
    count, iterations = (1, 400) if benchmark.disabled else (8, 1000)
    objects, measurement = sample(count)
    errors = {
        "ours": adjusted_mse(objects, benchmark.pedantic(ours, args=(measurement, iterations))),
        "peer": adjusted_mse(objects, peer.solve(measurement, iterations, BETA)),
    }
    for name, error in errors.items():
        benchmark.extra_info[f"solved_by_{name}"] = float(np.mean(error < SUCCESS))
        assert benchmark.disabled or np.mean(error < SUCCESS) > 0.7, name


@pytest.mark.parametrize("starts", [1, 16])
def test_an_iteration_over_the_peers(benchmark, starts):
    """Image by image, as its interface has it; and 16 starts of one image at once, which it does side by side."""
    iterations = 5 if benchmark.disabled else 40
    _, measurement = sample(16)
    some = measurement if starts == 1 else measurement[np.arange(1)]
    compare(
        benchmark,
        f"rrr iteration over solvephase's{'' if starts == 1 else ', 16 starts at once'}",
        lambda: ours(measurement, iterations),
        lambda: peer.solve(some, iterations, BETA, starts),
        bar="≤ 0.2",
        rounds=9,
    )
