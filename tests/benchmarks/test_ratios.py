"""The ratios that say whether this package is fast; each of them from alternating measurements."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from timeit import repeat

import pytest
from pairs import compare
from rich.console import Console
from workloads import (
    BATCHES,
    FASTEST,
    GRID,
    LIBRARIES,
    ONE_THREAD,
    STEPS,
    complex_transform_pair,
    sample,
    started,
    transform_pair,
)

from bench.commands.run import run_sweep
from bench.request import Sweep
from bench.score.metrics import register
from solvers import Streams, compiled, create

pytestmark = pytest.mark.benchmark(group="ratio")

IMAGES, ITERATIONS = 16, 20  # of one call


@cache
def floor():
    """IMAGES × ITERATIONS pairs of transforms by the fastest library at hand, in its best block size."""

    def pairs(library: str, batch: int):
        pair = transform_pair(library, GRID, batch)

        def all_pairs() -> None:
            for _ in range(IMAGES * ITERATIONS // batch):
                pair()

        return all_pairs

    candidates = [pairs(library, batch) for library in LIBRARIES for batch in BATCHES]
    return min(candidates, key=lambda candidate: min(repeat(candidate, number=1, repeat=5)))


@pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")
@pytest.mark.parametrize("solver", STEPS)
def test_a_step_over_the_fft_floor(benchmark, solver):
    advance = started(solver if solver == "alm" else f"{solver}[nonneg=true]", GRID, IMAGES)
    bar = "" if solver == "alm" else "≤ 1.5"
    count = 1 if benchmark.disabled else ITERATIONS
    compare(
        benchmark,
        f"{solver} iteration over an rfft2 and an irfft2",
        lambda: advance(count),
        transform_pair("torch", GRID, 1) if benchmark.disabled else floor(),
        bar=bar,
    )


@pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")
@pytest.mark.parametrize("solver", ["hio", "rrr"])
def test_a_step_on_complex_images_over_their_transforms(benchmark, solver):
    advance = started(solver, GRID, IMAGES, real=False)
    count = 1 if benchmark.disabled else ITERATIONS
    pair = complex_transform_pair(GRID, 1)  # the fastest block size

    def pairs() -> None:
        for _ in range(IMAGES * count):
            pair()

    name = f"{solver} iteration on a complex image over its fft2 and ifft2"
    compare(benchmark, name, lambda: advance(count), pairs, bar="≤ 1")


@pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")
@pytest.mark.parametrize("solver", STEPS)
def test_a_step_with_a_mask_over_one_without(benchmark, solver):
    masked, plain = (started(solver, GRID, IMAGES, masked=mask) for mask in (True, False))
    count = 1 if benchmark.disabled else ITERATIONS
    name = f"{solver} iteration with a mask over one without"
    compare(benchmark, name, lambda: masked(count), lambda: plain(count), bar="≤ 1.1")


@pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")
@pytest.mark.parametrize("side", [128, 256])
def test_a_step_on_a_large_image_over_one_on_small_ones_of_as_many_pixels(benchmark, side):
    small = 64  # 64×64 images
    large, many = started(FASTEST, (side, side), 1), started(FASTEST, (small, small), (side // small) ** 2)
    count = 1 if benchmark.disabled else ITERATIONS
    name = f"{FASTEST} iteration at {side}×{side} over one of as many pixels at {small}×{small}"
    compare(benchmark, name, lambda: large(count), lambda: many(count), bar="")


def solving(images: int, threads: int):
    _, measurement = sample(images)
    solver = create(FASTEST)
    solver.prepare(replace(ONE_THREAD, threads=threads))
    return lambda: solver.solve(measurement, Streams(0))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is one processor only")
def test_two_threads_over_one(benchmark):
    images = 2 if benchmark.disabled else 256
    work = solving(images, 2), solving(images, 1)
    compare(benchmark, "speed of two threads over one", *work, bar="≥ 1.8", rounds=7, inverse=True)


def test_the_score_over_the_cheapest_solve(benchmark):
    images = 2 if benchmark.disabled else 64
    objects, _ = sample(images)
    solve = solving(images, 1)
    found = solve().images
    compare(
        benchmark,
        f"score of an image over its solution by {FASTEST}",
        lambda: register(objects, found),
        solve,
        bar="≤ 0.05",
        rounds=7,
    )


def test_a_sweep_over_its_solving(benchmark, tmp_path):
    images = 2 if benchmark.disabled else 1000
    sweep = Sweep(
        solvers=(FASTEST,), variants=("shift_flip",), images=images, dataset="sample", executor="inline", threads=1
    )
    folders = iter(range(100))

    def run() -> None:
        run_sweep(sweep, tmp_path / str(next(folders)), figures=False, console=Console(quiet=True))

    name = f"sweep with {FASTEST} over its solving alone"
    compare(benchmark, name, run, solving(images, 1), bar="≤ 1.05", rounds=7)
