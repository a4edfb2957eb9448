"""`python -m bench.gpu_check`: build the CUDA kernels, compare each with its reference, time them, keep the numbers.

Every kernel sees fresh random images and is compared with the readable NumPy code in float64. Times are those of CUDA
events, the median of several repetitions, for blocks of different size; the floor is one rfft2 and one irfft2 of
cuFFT on the same block. The last line is a whole run: images, restarts, residual-based stop.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import Exit
from datasets import load_images, measure, place, placements
from solvers import Backend, Streams, create
from solvers.base import Status
from solvers.block import Block
from solvers.cuda import MAPS
from solvers.cuda.cufft import FourierIterations
from solvers.cuda.fused import FusedKernel
from solvers.cuda.plan import plan, refusal
from solvers.projection import ProjectionSolver

GRID, BOX = (96, 96), (42, 42)
CHECKED = [(GRID, BOX), ((64, 64), (28, 28)), ((90, 96), (42, 42)), ((128, 128), (64, 64))]
CUFFT_ONLY = [((162, 154), (70, 61))]
BATCHES = (132, 264, 528, 1056, 2112, 4224, 8192)
ITERATIONS = 20  # of a timed launch: as many as between two looks at the residual
REPEATS = 9
TOLERANCE = 1e-4  # of an iterate after three iterations, relative to its largest value
LABEL = "rrr[nonneg=true,starts=5,tolerance=1e-4,iterations=1000]"
GOOD = 1e-4  # residual of a solved image, in the end


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu_check", description="Check and time the CUDA kernels.")
    parser.add_argument("--output", type=Path, default=Path("results/gpu"), help="folder for <device>.csv")
    parser.add_argument("--images", type=int, default=10_000, help="of the run at the end; 0 leaves it out")
    arguments = parser.parse_args(argv)
    missing = no_gpu()
    if missing:
        print(f"gpu-check: {missing}", file=sys.stderr)
        return Exit.SOLVER
    machine = describe()
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    rows = check_kernels()
    failed = [row for row in rows if not row["value"] <= TOLERANCE]  # NaN fails
    rows += time_kernels()
    if arguments.images:
        rows += whole_run(arguments.images)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"{re.sub(r'[^A-Za-z0-9]+', '-', machine['device']).strip('-')}.csv"
    table.assign(**machine).to_csv(path, index=False)
    print(f"written: {path}")
    for row in failed:
        print(f"gpu-check: {row['what']} is off by {row['value']:.3g}, more than {TOLERANCE:g}", file=sys.stderr)
    return Exit.REGRESSION if failed else Exit.FINE


def no_gpu() -> str | None:
    """Why nothing can be checked here; None where it can."""
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed: pip install -e '.[gpu]'"
    import cupy

    try:
        return None if cupy.cuda.runtime.getDeviceCount() else "CuPy finds no GPU here"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy finds no GPU here: {error}"


def describe() -> dict[str, str]:
    """The device, its software, and its clocks as they are found."""
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"]
    fields = ("driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem")
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
        values = [value.strip() for value in answer.splitlines()[0].split(",")]
    except (OSError, subprocess.SubprocessError, IndexError):
        values = ["unknown"] * len(fields)
    return {
        "device": name.decode() if isinstance(name, bytes) else name,
        "cuda": str(cupy.cuda.runtime.runtimeGetVersion()),
        "cupy": cupy.__version__,
        **{field.replace(".", "_"): value for field, value in zip(fields, values, strict=True)},
    }


# ---- correctness


def random_images(
    grid: tuple[int, int], box: tuple[int, int], batch: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Iterates (batch, m1, m2) all over the grid, and magnitudes of other objects in the box."""
    objects = np.zeros((batch, *grid))
    objects[:, : box[0], : box[1]] = rng.random((batch, *box))
    return rng.standard_normal((batch, *grid)), np.abs(np.fft.rfft2(objects))


def check_kernels() -> list[dict[str, Any]]:
    """The largest error of three iterations of each map, of the estimate and of the residual, on each way."""
    rng = np.random.default_rng()
    rows = []
    for grid, box in CHECKED + CUFFT_ONLY:
        for name in MAPS:
            for nonnegative in (False, True):
                rows += check_map(name, grid, box, nonnegative, rng)
    FourierIterations.forget()
    return rows


def check_map(
    name: str, grid: tuple[int, int], box: tuple[int, int], nonnegative: bool, rng: np.random.Generator
) -> list[dict[str, Any]]:
    import cupy

    start, magnitude = random_images(grid, box, 5, rng)
    support = np.zeros(start.shape, dtype=bool)
    support[:, : box[0], : box[1]] = True
    block = Block(Backend("numpy", precision="float64"), magnitude, support, True, nonnegative, box)
    solver = create(name)
    assert isinstance(solver, ProjectionSolver)
    iterates, looks = [start], []
    for _ in range(3):
        x = solver.step(iterates[-1], block)
        estimate = solver.solution(x, block)
        iterates.append(x)
        looks.append((block.residual(estimate), estimate))
    beta = getattr(solver, "beta", 0.0)
    images, root = cupy.asarray(start, dtype=np.float32), cupy.asarray(magnitude, dtype=np.float32)
    found = FourierIterations.of(grid, box, name, nonnegative, 5).iterate(images, root, beta, 3)
    errors = {"cufft": error(found, iterates[3])}
    if refusal(grid) is None and FusedKernel.refusal(grid, box) is None:
        fused = FusedKernel.of(grid, box, name, nonnegative)
        last, estimate, residual = fused.iterate_and_check(images, root, beta, 3)
        errors["fused"] = max(error(last, iterates[3]), error(estimate, looks[2][1]), error(residual, looks[2][0]))
        limit = np.array([1, 2, 3, 2, 3])  # and a look after each iteration
        last, age, estimate, residual = fused.pursue(images, root, beta, limit, every=1, tolerance=0.0)
        best = [int(np.argmin([looks[look][0][i] for look in range(end)])) for i, end in enumerate(limit)]
        expected = (
            np.stack([iterates[end][i] for i, end in enumerate(limit)]),
            np.stack([looks[look][1][i] for i, look in enumerate(best)]),
            np.stack([looks[look][0][i] for i, look in enumerate(best)]),
        )
        wrong = max(error(one, other) for one, other in zip((last, estimate, residual), expected, strict=True))
        errors["pursuit"] = wrong if (cupy.asnumpy(age) == limit).all() else float("nan")
    what = f"error of {name}{'+' if nonnegative else ''} at {grid[0]}x{grid[1]}"
    return [{"what": what, "way": way, "batch": 5, "value": value, "unit": "relative"} for way, value in errors.items()]


def error(found: Any, expected: np.ndarray) -> float:
    """The largest difference of an array on the device from what it should be, over the largest of these numbers."""
    import cupy

    return float(np.max(np.abs(cupy.asnumpy(found) - expected)) / np.max(np.abs(expected)))


# ---- time


def seconds(work: Callable[[], object]) -> float:
    """The median time of `work` on the device, after two calls that load, compile and record what they need."""
    import cupy

    times = []
    for i in range(REPEATS + 2):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        work()
        end.record()
        end.synchronize()
        if i >= 2:
            times.append(cupy.cuda.get_elapsed_time(begin, end) / 1e3)
    return statistics.median(times)


def fft_pair(batch: int) -> float:
    """Seconds of one rfft2 and one irfft2 of cuFFT on a block, plans and arrays made before."""
    import cupy
    from cupyx.scipy.fft import get_fft_plan

    x = cupy.random.standard_normal((batch, *GRID), dtype=np.float32)
    z = cupy.empty((batch, GRID[0], GRID[1] // 2 + 1), dtype=np.complex64)
    there = get_fft_plan(x, axes=(1, 2), value_type="R2C")
    back = get_fft_plan(z, shape=GRID, axes=(1, 2), value_type="C2R")

    y = cupy.empty_like(x)  # from x again and again: a pair lacks the factor 1 / (m1 m2), and numbers would grow

    def pairs() -> None:
        for _ in range(ITERATIONS):
            there.fft(x, z, cupy.cuda.cufft.CUFFT_FORWARD)
            back.fft(z, y, cupy.cuda.cufft.CUFFT_INVERSE)

    return seconds(pairs) / ITERATIONS


def time_kernels() -> list[dict[str, Any]]:
    """Images transformed there and back, and image-iterations, a second, for each way and size of a block."""
    import cupy

    rng = np.random.default_rng()
    rows, best = [], {"pair": 0.0, "cufft": 0.0, "fused": 0.0}
    start, magnitude = random_images(GRID, BOX, 264, rng)

    def row(what: str, way: str, batch: int, value: float, unit: str) -> None:
        rows.append({"what": what, "way": way, "batch": batch, "value": value, "unit": unit})

    for batch in BATCHES:
        images = cupy.asarray(np.resize(start, (batch, *GRID)), dtype=np.float32)
        root = cupy.asarray(np.resize(magnitude, (batch, *magnitude.shape[1:])), dtype=np.float32)
        ways: dict[str, Callable[[], object]] = {}
        if FusedKernel.refusal(GRID, BOX) is None:
            fused = FusedKernel.of(GRID, BOX, "rrr", True)
            ways["fused"] = partial(fused.iterate_and_check, images, root, 0.5, ITERATIONS)
        arrays = FourierIterations.of(GRID, BOX, "rrr", True, batch)
        ways["cufft"] = partial(arrays.iterate, images, root, 0.5, ITERATIONS)
        rate = batch / fft_pair(batch)
        best["pair"] = max(best["pair"], rate)
        row("rfft2 + irfft2", "cufft", batch, rate, "images/s")
        for way, work in ways.items():
            rate = batch * ITERATIONS / seconds(work)
            best[way] = max(best[way], rate)
            row("rrr+ iteration", way, batch, rate, "images/s")
        recorded = arrays.graph(0.5) is not None
        FourierIterations.forget()
    row("CUDA graph recorded", "cufft", BATCHES[-1], float(recorded), "1 for yes")
    for way in ("cufft", "fused"):
        if best[way]:
            row("iteration over rfft2 + irfft2, best block of each", way, 0, best["pair"] / best[way], "ratio")
    if FusedKernel.refusal(GRID, BOX) is None:
        kernel = FusedKernel.of(GRID, BOX, "rrr", True).kernel
        row("registers of a thread", "fused", 0, kernel.num_regs, "registers")
        row("local memory of a thread", "fused", 0, kernel.local_size_bytes, "bytes")
        row("shared memory of a block", "fused", 0, plan(GRID, BOX).shared_bytes, "bytes")
    return rows


def whole_run(count: int) -> list[dict[str, Any]]:
    """All images with restarts and a residual-based stop: seconds of solve(), and what was reached."""
    import cupy

    images = load_images("fashion_mnist")
    print(f"images: {images.source}")
    indices = np.arange(min(count, len(images)))
    objects = place(images.tiles(indices), placements("shift_flip", seed=0, split="test", indices=indices))
    measurement = measure(objects, indices=indices, seed=0, split="test")
    pool = cupy.get_default_memory_pool()
    rows = []
    for repeat in ("first", "second"):
        solver = create(LABEL)
        solver.prepare(Backend("cupy", "cuda", "float32"))
        pool.free_all_blocks()
        began = time.perf_counter()
        found = solver.solve(measurement, Streams(0))
        took = time.perf_counter() - began
        what = f"{LABEL}, {len(indices)} images of {images.name}, {repeat} run"
        for value, unit in (
            (took, "s"),
            (float(np.mean(found.residual < GOOD)), f"part below {GOOD:g}"),
            (float(np.mean([status == Status.SOLVED for status in found.status])), "part solved"),
            (float(found.iterations.sum()) / took, "image-iterations/s"),
            (pool.total_bytes() / 2**20, "MiB of device memory"),
        ):
            rows.append({"what": what, "way": "solve", "batch": len(indices), "value": value, "unit": unit})
    return rows


if __name__ == "__main__":
    sys.exit(main())
