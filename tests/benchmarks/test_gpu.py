"""The GPU twins of the groups `fft-floor`, `step` and `solve`: every round waits until the device has finished."""

from __future__ import annotations

import numpy as np
import pytest

from bench.gpu_check import no_gpu
from datasets import load_images, measure, place, placements
from solvers import Streams, create, select_backend
from solvers.cuda import MAPS
from solvers.cuda.cufft import FourierIterations
from solvers.cuda.fused import FusedKernel
from solvers.cuda.kind import Kind
from solvers.iterative.state import CHECK_EVERY

pytestmark = pytest.mark.skipif(no_gpu() is not None, reason=f"no GPU: {no_gpu()}")

SIZES = [(64, 28), (96, 42), (128, 56), (256, 112), (512, 224)]  # sides of the grid and of the box
BATCHES = (264, 2048)


def resident(benchmark, work, **facts):
    """Time `work` with the device idle before and after each round."""
    import cupy

    def synchronised():
        work()
        cupy.cuda.get_current_stream().synchronize()

    synchronised()  # compiles, plans, records
    benchmark.extra_info.update(device="cuda", **facts)
    benchmark(synchronised)


def random_images(size, box, batch):
    import cupy

    rng = np.random.default_rng(0)
    objects = np.zeros((8, size, size))
    objects[:, :box, :box] = rng.random((8, box, box))
    magnitude = np.abs(np.fft.rfft2(objects))
    repeated = [np.resize(a, (batch, *a.shape[1:])) for a in (rng.standard_normal((64, size, size)), magnitude)]
    return tuple(cupy.asarray(a, dtype=np.float32) for a in repeated)


def batches(size):
    return [batch for batch in BATCHES if batch * size**2 <= BATCHES[-1] * 256**2]


CASES = [(size, box, batch) for size, box in SIZES for batch in batches(size)]


@pytest.mark.benchmark(group="fft-floor")
@pytest.mark.parametrize(("size", "box", "batch"), CASES)
def test_gpu_fft_floor(benchmark, size, box, batch):
    import cupy
    from cupyx.scipy.fft import get_fft_plan

    x, magnitude = random_images(size, box, batch)
    y, z = cupy.empty_like(x), cupy.empty(magnitude.shape, dtype=np.complex64)
    there = get_fft_plan(x, axes=(1, 2), value_type="R2C")
    back = get_fft_plan(z, shape=(size, size), axes=(1, 2), value_type="C2R")

    def pairs():
        for _ in range(CHECK_EVERY):
            there.fft(x, z, cupy.cuda.cufft.CUFFT_FORWARD)
            back.fft(z, y, cupy.cuda.cufft.CUFFT_INVERSE)

    resident(benchmark, pairs, size=size, images=batch, iterations=CHECK_EVERY, library="cufft")


@pytest.mark.benchmark(group="step")
@pytest.mark.parametrize(("size", "box", "batch"), CASES)
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("way", ["fused", "cufft"])
def test_gpu_step(benchmark, way, name, size, box, batch):
    kind = Kind(name, (size, size), (box, box), nonnegative=True)
    x, magnitude = random_images(size, box, batch)
    beta = getattr(create(name), "beta", 0.0)
    if way == "cufft":
        kernels = FourierIterations.of(kind, batch)
    else:
        reason = FusedKernel.refusal(kind)
        if reason:
            pytest.skip(reason)
        kernels = FusedKernel.of(kind)
    facts = {"solver": name, "size": size, "images": batch, "iterations": CHECK_EVERY, "way": way}
    resident(benchmark, lambda: kernels.iterate(x, magnitude, None, beta, CHECK_EVERY), **facts)
    FourierIterations.forget()


@pytest.mark.benchmark(group="solve")
@pytest.mark.parametrize("label", ["rrr[nonneg=true,starts=5]", "hio[nonneg=true]", "difference_map[nonneg=true]"])
def test_gpu_solve(benchmark, label):
    images = load_images("sample")
    indices = np.arange(len(images))
    objects = place(images.tiles(indices), placements("shift_flip", seed=0, split="test", indices=indices))
    measurement = measure(objects, indices=indices, seed=0, split="test")
    solver = create(label)
    solver.prepare(select_backend("cupy", "cuda"))
    found = solver.solve(measurement, Streams(0))
    assert np.isfinite(found.residual).all()
    resident(benchmark, lambda: solver.solve(measurement, Streams(0)), solver=label, images=len(indices))
