"""From measurement to solution, and the score of what was found."""

from __future__ import annotations

import numpy as np
import pytest
from workloads import FASTEST, ONE_THREAD, sample

from bench.score.metrics import SUCCESS, register
from solvers import Streams, create


@pytest.mark.benchmark(group="solve")
def test_rrr_to_its_residual(benchmark):
    count = 2 if benchmark.disabled else 64
    objects, measurement = sample(count)
    solver = create(FASTEST)
    solver.prepare(ONE_THREAD)
    found = benchmark.pedantic(solver.solve, args=(measurement, Streams(0)), rounds=5)
    benchmark.extra_info.update(images=count, iterations=float(np.mean(found.iterations)))
    assert np.mean(register(objects, found.images).mse < SUCCESS) > 0.9


@pytest.mark.benchmark(group="score")
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_the_score(benchmark, kind):
    count = 2 if benchmark.disabled else 64
    objects, measurement = sample(count)
    found = np.random.default_rng(0).random((count, *measurement.grid), dtype=np.float32)
    benchmark.extra_info["images"] = count
    benchmark(register, objects, found if kind == "real" else found.astype(np.complex64))
