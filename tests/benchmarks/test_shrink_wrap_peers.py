"""A complex image of 256×256 whose support follows it, by this package and by two others that do the same."""

from __future__ import annotations

import importlib
from functools import partial

import numpy as np
import pytest
from pairs import compare
from workloads import ONE_THREAD

from bench.score.metrics import adjusted_mse
from datasets import measure
from solvers import Streams, create

pytestmark = pytest.mark.benchmark(group="peer")
GRID, BOX = (256, 256), (112, 112)
SETTINGS = {"beta": 0.9, "sigma": 1.5, "threshold": 0.1, "every": 20}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("AOCORE_FFT_WORKERS", "1")


@pytest.fixture(scope="module")
def pattern():
    """A disc with a bright bar, whose phase is a ramp; and its measurement."""
    rows, columns = np.indices(BOX) - 56.0
    disc = np.hypot(rows / 50, columns / 40) < 1
    magnitude = disc * (0.6 + 0.4 * (abs(rows - columns / 2) < 8))
    found = (magnitude * np.exp(1j * np.pi * rows / 56))[None]
    return found, measure(found, grid=GRID)


def ours(measurement, iterations: int):
    beta, sigma, threshold, every = SETTINGS.values()
    support = f"shrinkwrap[sigma={sigma}:{sigma},threshold={threshold},every={every}]"
    solver = create(f'raar[support="{support}",beta={beta},iterations={iterations},tolerance=0]')
    solver.prepare(ONE_THREAD)
    return solver.solve(measurement, Streams(0)).images


def of(package: str, folder):
    """The peer's function, with what it needs besides the measurement and the number of iterations."""
    if package == "solvephase":
        module, more = "peer", SETTINGS
    else:
        module, more = "peer_cohere", SETTINGS | {"folder": folder}
    pytest.importorskip(
        package,
        reason=f"{package} is not installed: pip install {package}, in an environment of its own if it is large",
    )
    return partial(importlib.import_module(module).shrink_wrap, **more)


@pytest.mark.parametrize("package", ["solvephase", "cohere_core"])
def test_a_start_over_the_peers(benchmark, pattern, tmp_path, package):
    theirs = of(package, tmp_path)
    iterations = 20 if benchmark.disabled else 1000
    compare(
        benchmark,
        f"raar, complex, shrink-wrap, 256×256, over {package}'s",
        lambda: ours(pattern[1], iterations),
        lambda: theirs(pattern[1], iterations),
        bar="< 1",
        rounds=5,
    )


def test_our_start_finds_the_object(pattern):
    """But for the edge of its support."""
    assert adjusted_mse(pattern[0], ours(pattern[1], 1000))[0] < 0.05
