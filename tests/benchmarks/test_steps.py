"""One iteration of every iterative solver, from 64×64 to 512×512, compiled and portable, in blocks of several sizes."""

from __future__ import annotations

import pytest
from workloads import GRID, STEPS, started

from solvers import compiled

pytestmark = pytest.mark.benchmark(group="step")

COUNT = 4  # iterations in one call: enough to hide that the compiled kernels copy an image in and out


def images(side: int) -> int:
    """As many as fit the cache, or nearly so."""
    return max(1, min(16, 2**20 // side**2))


def measure_steps(benchmark, solver: str, side: int, batch: int, path: str) -> None:
    if path == "compiled" and compiled.kernels() is None:
        pytest.skip("the compiled kernels were not built")
    advance = started(solver, (side, side), batch, portable=path == "portable")
    count = 1 if benchmark.disabled else COUNT
    benchmark.extra_info.update(images=batch, iterations=count)
    benchmark.pedantic(advance, args=(count,), rounds=7, warmup_rounds=1)


@pytest.mark.parametrize("path", ["compiled", "portable"])
@pytest.mark.parametrize("side", [64, 96, 128, 256, 512])
@pytest.mark.parametrize("solver", STEPS)
def test_an_iteration(benchmark, solver, side, path):
    measure_steps(benchmark, solver, side, images(side), path)


@pytest.mark.parametrize("path", ["compiled", "portable"])
@pytest.mark.parametrize("batch", [1, 4, 64])
@pytest.mark.parametrize("solver", ["rrr", "alm"])
def test_an_iteration_in_blocks_of_another_size(benchmark, solver, batch, path):
    measure_steps(benchmark, solver, GRID[0], batch, path)
