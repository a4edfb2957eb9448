"""`python -m bench.gpu_check`: build the CUDA kernels, compare each with its reference, time them, keep the numbers.

Every kernel sees fresh random images and is compared with the readable NumPy code in float64. Times are those of CUDA
events, the median of several repetitions, for blocks of different size; the floor is one rfft2 and one irfft2 of
cuFFT on the same block. Masks, supports and complex images are timed beside the portable code, which is what they took
before there were kernels for them. The last lines are whole runs: images, restarts, residual-based stop.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import Exit
from datasets import load_images, measure, place, placements
from datasets.problem import beamstop_mask
from solvers import Backend, Streams, create
from solvers.backend import processors
from solvers.base import Status
from solvers.cuda import MAPS
from solvers.cuda.cufft import FourierIterations
from solvers.cuda.fused import FusedKernel
from solvers.cuda.kind import Kind
from solvers.cuda.plan import plan
from solvers.files import write_text
from solvers.iterative.block import Block, magnitudes
from solvers.projection.base import ProjectionSolver

GRID, BOX = (96, 96), (42, 42)
CHECKED = [(GRID, BOX), ((64, 64), (28, 28)), ((90, 96), (42, 42)), ((128, 128), (64, 64))]
CUFFT_ONLY = [((162, 154), (70, 61))]
BATCHES = (132, 264, 528, 1056, 2112, 4224, 8192)
FEW = (1056, 4224)
TIMED: tuple[dict[str, Any], ...] = (  # the first on all sizes of a block, the others on a few
    {"name": "rrr", "nonnegative": True},
    {"name": "rrr", "nonnegative": True, "masked": True},
    {"name": "rrr", "nonnegative": True, "supported": True},
    {"name": "rrr", "real": False},
    {"name": "rrr", "real": False, "masked": True},
)
COMPILERS = 8  # processes, each of which has a context on the GPU
ITERATIONS = 20  # of a timed launch: as many as between two looks at the residual
REPEATS = 9
TOLERANCE = 1e-4  # of an iterate after three iterations, relative to its largest value
LABEL = "rrr[nonneg=true,starts=5,tolerance=1e-4,iterations=1000]"
MEASURED = (96, 96)  # grid of the run at the end
BEAMSTOP = 3  # pixels along the side of what one of them leaves out around the zero frequency
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
    try:  # before minutes are spent
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"gpu-check: output '{arguments.output}' cannot be written: {error.strerror}", file=sys.stderr)
        return Exit.USAGE
    machine = describe()
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    checked = list(kinds())
    build_kernels(checked)
    rows = check_kernels(checked)
    failed = [row for row in rows if not row["value"] <= TOLERANCE]  # NaN fails
    rows += time_kernels()
    if arguments.images:
        rows += whole_run(arguments.images)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    path = arguments.output / f"{re.sub(r'[^A-Za-z0-9]+', '-', machine['device']).strip('-')}.csv"
    write_text(path, table.assign(**machine).to_csv(index=False, lineterminator="\n"))
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


def describe_kind(kind: Kind) -> str:
    """The map, with a + where it uses nonnegativity, and what else the kernel is compiled for."""
    known = [word for word, wanted in (("masks", kind.masked), ("supports", kind.supported)) if wanted]
    return (
        f"{kind.name}{'+' if kind.nonnegative else ''}{'' if kind.real else ' of complex images'}"
        f"{' with ' + ' and '.join(known) if known else ''}"
    )


def kinds() -> Iterator[Kind]:
    """What is checked: every map on every grid, and all that may be known of images on the first grid.

    On the others, masks, supports and complex images are those of two maps: what they add is the same code for all.
    """
    for grid, box in CHECKED + CUFFT_ONLY:
        for name in MAPS:
            yield Kind(name, grid, box)
            yield Kind(name, grid, box, nonnegative=True)
            if grid == GRID or name in ("hio", "rrr"):
                yield Kind(name, grid, box, nonnegative=True, masked=True, supported=True)
                yield Kind(name, grid, box, real=False, masked=True, supported=True)
    for kind in TIMED[1:]:
        yield Kind(grid=GRID, box=BOX, **kind)


def random_block(kind: Kind, batch: int, rng: np.random.Generator) -> tuple[Block, np.ndarray]:
    """What is known of `batch` random objects, each with a mask and a support of its own, in float64.

    Returns:
        The block, and iterates (batch, m1, m2) all over the grid.
    """
    (n1, n2), everywhere = kind.box, (batch, *kind.grid)
    support = np.zeros(everywhere, dtype=bool)
    support[:, :n1, :n2] = rng.random((batch, n1, n2)) < 0.7 if kind.supported else True
    support[:, 0, 0] = True
    objects, start = rng.random(everywhere), rng.standard_normal(everywhere)
    if not kind.real:
        objects = objects * np.exp(2j * np.pi * rng.random(everywhere))
        start = start + 1j * rng.standard_normal(everywhere)
    mask = rng.random(everywhere) < 0.8 if kind.masked else None
    magnitude = magnitudes(np.abs(np.fft.fft2(objects * support)) ** 2, mask, kind.real)
    box = None if kind.supported else kind.box
    block = Block(
        Backend("numpy", precision="float64"), magnitude, support, kind.real, kind.nonnegative, box, frame=kind.box
    )
    return block, start


def on_device(kind: Kind, block: Block, start: np.ndarray) -> tuple[Any, Any, Any]:
    """Images, magnitudes and supports as the kernels take them."""
    import cupy

    support = cupy.asarray(block.support) if kind.supported else None
    return cupy.asarray(start, dtype=kind.dtype), cupy.asarray(block.magnitude, dtype=np.float32), support


def build_kernels(checked: Sequence[Kind]) -> None:
    """Compile the fused kernels in several processes, into the cache on disk where CuPy then finds them."""
    with ProcessPoolExecutor(min(processors(), COMPILERS), multiprocessing.get_context("spawn")) as pool:
        list(pool.map(build_kernel, checked))


def build_kernel(kind: Kind) -> None:
    """Compile the fused kernel for a kind that it does."""
    if FusedKernel.refusal(kind) is None:
        FusedKernel.of(kind)


def check_kernels(checked: Sequence[Kind]) -> list[dict[str, Any]]:
    """The largest error of three iterations of each map, of the estimate and of the residual, on each way."""
    rng = np.random.default_rng()
    rows = [row for kind in checked for row in check_kind(kind, rng)]
    FourierIterations.forget()
    return rows


def check_kind(kind: Kind, rng: np.random.Generator) -> list[dict[str, Any]]:
    import cupy

    block, start = random_block(kind, 5, rng)
    solver = create(kind.name)
    assert isinstance(solver, ProjectionSolver)
    iterates, looks = [start], []
    for _ in range(3):
        x = solver.step(iterates[-1], block)
        estimate = solver.solution(x, block)
        iterates.append(x)
        looks.append((block.residual(estimate), estimate))
    beta = getattr(solver, "beta", 0.0)
    given = on_device(kind, block, start)
    found = FourierIterations.of(kind, 5).iterate(*given, beta, 3)
    errors = {"cufft": error(found, iterates[3])}
    if FusedKernel.refusal(kind) is None:
        fused = FusedKernel.of(kind)
        last, estimate, residual = fused.iterate_and_check(*given, beta, 3)
        errors["fused"] = max(error(last, iterates[3]), error(estimate, looks[2][1]), error(residual, looks[2][0]))
        limit = np.array([1, 2, 3, 2, 3])  # and a look after each iteration
        last, age, estimate, residual = fused.pursue(*given, beta, limit, every=1, tolerance=0.0)
        best = [int(np.argmin([looks[look][0][i] for look in range(end)])) for i, end in enumerate(limit)]
        expected = (
            np.stack([iterates[end][i] for i, end in enumerate(limit)]),
            np.stack([looks[look][1][i] for i, look in enumerate(best)]),
            np.stack([looks[look][0][i] for i, look in enumerate(best)]),
        )
        wrong = max(error(one, other) for one, other in zip((last, estimate, residual), expected, strict=True))
        errors["pursuit"] = wrong if (cupy.asnumpy(age) == limit).all() else float("nan")
    what = f"error of {describe_kind(kind)} at {kind.grid[0]}x{kind.grid[1]}"
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


def fft_pair(batch: int, *, real: bool = True) -> float:
    """Seconds of one transform of cuFFT there and one back on a block, plans and arrays made before."""
    import cupy
    from cupyx.scipy.fft import get_fft_plan

    kind = Kind("er", GRID, BOX, real=real)
    x = cupy.random.standard_normal((batch, *GRID), dtype=np.float32).astype(kind.dtype)
    z = cupy.empty((batch, *kind.plane), dtype=np.complex64)
    there = get_fft_plan(x, axes=(1, 2), value_type="R2C" if real else "C2C")
    back = get_fft_plan(z, shape=GRID, axes=(1, 2), value_type="C2R" if real else "C2C")

    y = cupy.empty_like(x)  # from x again and again: a pair lacks the factor 1 / (m1 m2), and numbers would grow

    def pairs() -> None:
        for _ in range(ITERATIONS):
            there.fft(x, z, cupy.cuda.cufft.CUFFT_FORWARD)
            back.fft(z, y, cupy.cuda.cufft.CUFFT_INVERSE)

    return seconds(pairs) / ITERATIONS


def time_kernels() -> list[dict[str, Any]]:
    """Images transformed there and back, and image-iterations, a second, for each way and size of a block."""
    rng = np.random.default_rng()
    rows = []
    for i, known in enumerate(TIMED):
        rows += time_kind(Kind(grid=GRID, box=BOX, **known), FEW if i else BATCHES, rng)
    return rows


def time_kind(kind: Kind, batches: tuple[int, ...], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Those of one kind, and what the compiler made of it; of the smallest block, the portable code's, too."""
    rows: list[dict[str, Any]] = []
    what, pair = describe_kind(kind), "rfft2 + irfft2" if kind.real else "fft2 + ifft2"
    best = {"pair": 0.0, "cufft": 0.0, "fused": 0.0}
    block, start = random_block(kind, 264, rng)
    fused = FusedKernel.of(kind) if FusedKernel.refusal(kind) is None else None

    def row(what: str, way: str, batch: int, value: float, unit: str) -> None:
        rows.append({"what": what, "way": way, "batch": batch, "value": value, "unit": unit})

    for batch in batches:
        repeated = replace(
            block,
            magnitude=np.resize(block.magnitude, (batch, *kind.plane)),
            support=np.resize(block.support, (batch, *kind.grid)),
        )
        images = np.resize(start, (batch, *kind.grid))
        given = on_device(kind, repeated, images)
        arrays = FourierIterations.of(kind, batch)
        ways: dict[str, Callable[[], object]] = {"cufft": partial(arrays.iterate, *given, 0.5, ITERATIONS)}
        if fused is not None:
            ways["fused"] = partial(fused.iterate_and_check, *given, 0.5, ITERATIONS)
        rate = batch / fft_pair(batch, real=kind.real)
        best["pair"] = max(best["pair"], rate)
        row(pair, "cufft", batch, rate, "images/s")
        for way, work in ways.items():
            rate = batch * ITERATIONS / seconds(work)
            best[way] = max(best[way], rate)
            row(f"{what} iteration", way, batch, rate, "images/s")
        if batch == batches[0]:
            rate = batch * ITERATIONS / seconds(portable(kind, repeated, images))
            row(f"{what} iteration", "portable", batch, rate, "images/s")
        recorded = arrays.graph(0.5) is not None
        FourierIterations.forget()
    row(f"{what}: CUDA graph recorded", "cufft", batches[-1], float(recorded), "1 for yes")
    for way in ("cufft", "fused"):
        if best[way]:
            row(f"{what} iteration over {pair}, best block of each", way, 0, best["pair"] / best[way], "ratio")
    if fused is not None:
        row(f"{what}: registers of a thread", "fused", 0, fused.kernel.num_regs, "registers")
        row(f"{what}: local memory of a thread", "fused", 0, fused.kernel.local_size_bytes, "bytes")
        row(f"{what}: shared memory of a block", "fused", 0, plan(kind).shared_bytes, "bytes")
    return rows


def portable(kind: Kind, block: Block, start: np.ndarray) -> Callable[[], object]:
    """As many iterations in CuPy's array functions."""
    backend = Backend("cupy", "cuda", "float32")
    solver = create(kind.name)
    assert isinstance(solver, ProjectionSolver)
    arrays = (backend.asarray(a) for a in (block.magnitude, block.support, start))
    magnitude, support, first = arrays
    there = replace(block, backend=backend, magnitude=magnitude, support=support)

    def iterate() -> object:
        x = first
        for _ in range(ITERATIONS):
            x = solver.step(x, there)
        return x

    return iterate


def whole_run(count: int) -> list[dict[str, Any]]:
    """All images with restarts and a residual-based stop: seconds of solve(), and what was reached.

    Measured everywhere, and without a square around the zero frequency.
    """
    import cupy

    images = load_images("fashion_mnist")
    print(f"images: {images.source}")
    indices = np.arange(min(count, len(images)))
    objects = place(images.tiles(indices), placements("shift_flip", seed=0, split="test", indices=indices))
    pool = cupy.get_default_memory_pool()
    rows = []
    for repeat, width in (("first run", 0), ("second run", 0), (f"without {BEAMSTOP}x{BEAMSTOP} pixels", BEAMSTOP)):
        mask = beamstop_mask(MEASURED, width) if width else None
        measurement = measure(objects, indices=indices, grid=MEASURED, mask=mask, seed=0, split="test")
        solver = create(LABEL)
        solver.prepare(Backend("cupy", "cuda", "float32"))
        pool.free_all_blocks()
        began = time.perf_counter()
        found = solver.solve(measurement, Streams(0))
        took = time.perf_counter() - began
        what = f"{LABEL}, {len(indices)} images of {images.name}, {repeat}"
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
