"""Solvers on a GPU, as far as a CPU shows it: the kernels' own source and a stand-in for CuPy."""

from __future__ import annotations

import sys
from dataclasses import replace

import emulator
import numpy as np
import pytest

from datasets import measure
from solvers import Backend, Streams, create, cuda
from solvers.cuda.cufft import RECORDED, FourierIterations
from solvers.cuda.fused import FusedKernel
from solvers.cuda.kind import Kind
from solvers.iterative.block import box_block
from solvers.iterative.state import CHECK_EVERY
from solvers.projection.rrr import RelaxedReflectReflect

pytestmark = pytest.mark.skipif(emulator.COMPILER is None, reason="no g++ to compile the kernels for a CPU")

FUSED, ODD = (16, 12), (14, 15)  # grids; the fused kernel does not do the second


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    for name, module in emulator.cupy_stand_in().items():
        monkeypatch.setitem(sys.modules, name, module)
    forget()
    yield
    forget()


def forget():
    FusedKernel.forget()
    FourierIterations.forget()
    cuda._unfit.cache_clear()
    cuda._announce.cache_clear()


def measured(grid, *, real=True, masked=False, supported=False):
    """Five objects, of which each has a mask and a support of its own."""
    rng = np.random.default_rng(5)
    objects = rng.random((5, 6, 5))
    support = rng.random(objects.shape) < 0.7 if supported else None
    found = measure(
        (objects if real else objects * np.exp(2j * objects)) * (1 if support is None else support),
        grid=grid,
        support=support,
    )
    if masked:
        found.intensities[rng.random(found.intensities.shape) < 0.2] = np.nan
    return found


def solve(label, backend, grid, **known):
    solver = create(label)
    solver.prepare(backend)
    return solver.solve(measured(grid, **known), Streams(1))


LABELS = ["er[nonneg=true]", "hio", "rrr[nonneg=true]", "difference_map", "difference_map[beta=0.8]", "raar", "alm"]


@pytest.mark.slow
@pytest.mark.parametrize("grid", [FUSED, ODD])
@pytest.mark.parametrize("label", LABELS)
def test_a_solve_is_that_of_the_readable_code_while_rounding_allows(label, grid):
    iterations = 5 if label == "alm" else 12
    label = label.replace("]", ",") if "[" in label else f"{label}["
    label += f"iterations={iterations},tolerance=0]"
    assert_same(label, grid)


def assert_same(label, grid, **known):
    """A solve on the stand-in for a GPU is that of the readable code; returns what did it."""
    backends = emulator.GpuBackend(), Backend("numpy", precision="float64")
    found, expected = (solve(label, backend, grid, **known) for backend in backends)
    assert np.isfinite(expected.residual).all()
    np.testing.assert_allclose(found.images, expected.images, atol=1e-3)
    np.testing.assert_allclose(found.residual, expected.residual, rtol=1e-2, atol=1e-4)
    assert found.transforms.tolist() == expected.transforms.tolist()
    return found.kernel


SHRINKWRAP = 'support="shrinkwrap[every=4]"'


@pytest.mark.parametrize(("grid", "kernel"), [(FUSED, "cuda"), (ODD, "cufft")])
@pytest.mark.parametrize(
    ("label", "known"),
    [
        ("rrr[nonneg=true", {"masked": True}),
        ("hio[nonneg=true", {"supported": True}),
        ("raar[nonneg=true", {"masked": True, "supported": True}),
        ("rrr[nonneg=true," + SHRINKWRAP, {"masked": True}),
        ("difference_map[real=false", {"masked": True}),
        ("er[nonneg=false", {"real": False}),
        ("rrr[nonneg=false", {"real": False, "masked": True}),
        ("hio[nonneg=false", {"real": False, "masked": True, "supported": True}),
        ("raar[" + SHRINKWRAP, {"real": False, "supported": True}),
    ],
)
def test_so_it_is_with_masks_supports_and_complex_objects(label, known, grid, kernel, caplog):
    assert assert_same(f"{label},iterations=12,tolerance=0]", grid, **known) == kernel
    assert not [message for message in caplog.messages if "portable" in message]
    cycle = f'cycle[schedule="hio:5+er:7",tolerance=0{",nonneg=true" if "=true" in label else ""}]'
    if "real" not in label:
        assert_same(cycle, grid, **known)


@pytest.mark.parametrize(("grid", "kernel"), [(FUSED, "cuda"), (ODD, "cufft")])
def test_a_reconstruction_says_which_kernel_made_it(grid, kernel):
    backend = emulator.GpuBackend()
    assert solve("rrr[iterations=5]", backend, grid).kernel == kernel
    assert solve("rrr[iterations=5,support=shrinkwrap]", backend, grid).kernel == kernel
    assert solve("rrr[iterations=5,real=false]", backend, grid).kernel == kernel
    assert solve('rrr[iterations=5,support="largest[pixels=9]"]', backend, grid).kernel == "portable"
    assert solve("alm[iterations=5]", backend, grid).kernel == "portable"

    class Mine(RelaxedReflectReflect):
        def step(self, x, block):
            return x * 0

    mine = Mine(iterations=5)
    mine.prepare(backend)
    found = mine.solve(measure(np.ones((2, 6, 5)), grid=grid), Streams(0))
    assert found.kernel == "portable"
    assert not found.images.any()


@pytest.mark.parametrize("grid", [FUSED, ODD])
def test_images_finish_and_make_room(grid):
    found = solve("rrr[nonneg=true,iterations=400,tolerance=0.05,starts=3]", emulator.GpuBackend(), grid)
    assert (found.residual <= 0.05).all()
    assert len(set(found.iterations)) > 1


def test_the_way_follows_the_grid_and_the_environment(monkeypatch, caplog):
    favourite, odd = Kind("rrr", (96, 96), (42, 42)), Kind("rrr", ODD, (6, 5))
    assert cuda.way(favourite) == "fused"
    assert cuda.way(odd) == cuda.way(replace(odd, name="er", masked=True)) == "cufft"
    assert caplog.messages == [
        "no shared-memory kernel: length 14 is not a product of 2, 3 and 5; the iterations go through cuFFT"
    ]
    monkeypatch.setenv("PHASEBENCH_KERNELS", "cufft")
    assert cuda.way(favourite) == "cufft"
    assert cuda.serves(emulator.GpuBackend())
    monkeypatch.setenv("PHASEBENCH_KERNELS", "portable")
    assert not cuda.serves(emulator.GpuBackend())
    assert not cuda.serves(Backend("torch"))


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"pixels": 20}, "a support of the largest pixels"),
        ({"real": False, "phases": (0.0, 1.0)}, "a range of phases"),
    ],
    ids=str,
)
def test_what_the_kernels_do_not_know_takes_portable_code_and_that_is_said_once(caplog, known, reason):
    block = box_block(measured(FUSED), emulator.GpuBackend(), real=True, nonnegative=False)
    for other in ({}, {"box": None}, {"magnitude": -np.ones((5, 16, 7), np.float32)}, {"real": False}):
        assert replace(block, **other).on_gpu
    assert not caplog.messages
    for _ in range(2):
        assert not replace(block, **known).on_gpu
    assert caplog.messages == [f"no CUDA kernel for {reason}: portable code on the GPU, which is slower"]


@pytest.mark.parametrize("grid", [FUSED, ODD])
def test_a_support_of_which_no_frame_is_known_may_reach_anywhere(grid):
    rng, solver, found = np.random.default_rng(2), create("hio"), []
    support, start = rng.random((5, *grid)) < 0.3, rng.standard_normal((5, *grid))
    for backend in (emulator.GpuBackend(), Backend("numpy", precision="float64")):
        block = box_block(measured(grid), backend, real=True, nonnegative=False)
        block = replace(block, support=support, box=None, frame=None)
        found.append(solver.advance((backend.asarray(start),), block, 3)[0])
    np.testing.assert_allclose(*found, atol=1e-4 * np.abs(found[1]).max())


def test_a_device_with_little_shared_memory_takes_the_other_way(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "cupy", emulator.cupy_stand_in(shared_memory=48 << 10)["cupy"])
    assert cuda.way(Kind("rrr", (96, 96), (42, 42))) == "cufft"
    assert "needs 73824 bytes of shared memory, this device has 49152" in caplog.text


def test_another_device_is_asked_for_itself_and_has_kernels_of_its_own(monkeypatch):
    small, large = Kind("rrr", FUSED, (6, 5)), Kind("rrr", (96, 96), (42, 42))
    first = FusedKernel.of(small)
    assert (cuda.way(large), FusedKernel.of(small)) == ("fused", first)
    monkeypatch.setitem(sys.modules, "cupy", emulator.cupy_stand_in(shared_memory=48 << 10, device=1)["cupy"])
    assert cuda.way(large) == "cufft"
    assert FusedKernel.of(small) is not first


def random_images(count, grid=ODD):
    rng = np.random.default_rng(0)
    half = (count, grid[0], grid[1] // 2 + 1)
    return rng.standard_normal((count, *grid)).astype(np.float32), rng.random(half).astype(np.float32)


@pytest.mark.parametrize("records", [True, False])
def test_recorded_iterations_are_those_that_are_launched_one_by_one(monkeypatch, caplog, records):
    monkeypatch.setattr(emulator._Stream, "can_record", records)
    assert RECORDED == CHECK_EVERY
    x, magnitude = random_images(3)
    arrays = FourierIterations.of(Kind("er", ODD, (6, 5), nonnegative=True), 3)
    whole = arrays.iterate(x, magnitude, None, 0.0, 2 * RECORDED + 1)
    for _ in range(2 * RECORDED + 1):
        x = arrays.iterate(x, magnitude, None, 0.0, 1)
    np.testing.assert_array_equal(whole, x)
    assert (arrays.graph(0.0) is not None) == records
    assert len(caplog.messages) == (0 if records else 1)


def test_batches_of_similar_size_share_their_arrays_and_not_their_images():
    x, magnitude = random_images(4)
    kind = Kind("hio", ODD, (6, 5))
    one = FourierIterations.of(kind, 4)
    assert FourierIterations.of(kind, 3) is one
    assert FourierIterations.of(kind, 5) is not one
    assert FourierIterations.of(replace(kind, masked=True), 4) is not one
    together = one.iterate(x, magnitude, None, 0.9, 3)
    np.testing.assert_allclose(one.iterate(x[2:3], magnitude[2:3], None, 0.9, 3), together[2:3], rtol=1e-5, atol=1e-5)


def test_what_is_given_is_left_as_it_is():
    for grid in (FUSED, ODD):
        x, magnitude = random_images(2, grid)
        before = x.copy()
        cuda.Map(Kind("rrr", grid, (6, 5), nonnegative=True), beta=0.6).iterate(x, magnitude, None, 2)
        np.testing.assert_array_equal(x, before)
