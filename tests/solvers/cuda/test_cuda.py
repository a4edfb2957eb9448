"""The CUDA kernels' own source, run on a CPU, computes what the readable code says, to the rounding of float32."""

from __future__ import annotations

import emulator
import numpy as np
import pytest

from solvers import create
from solvers.backend import Backend
from solvers.cuda.plan import plan
from solvers.cuda.source import size_macros, source
from solvers.iterative.block import Block

pytestmark = pytest.mark.skipif(emulator.COMPILER is None, reason="no g++ to compile the kernels for a CPU")

MAPS = ("er", "hio", "raar", "difference_map", "rrr")
GRIDS = [
    ((96, 96), (42, 42)),
    ((64, 64), (28, 28)),
    ((90, 96), (42, 42)),
    ((96, 75), (31, 25)),  # rows of odd length have no Nyquist frequency; the last pair of rows is half in the box
    ((128, 100), (64, 45)),
    ((54, 125), (54, 125)),  # the box is the whole grid
    ((8, 4), (3, 2)),
    ((2, 3), (1, 1)),
]
FLOAT64 = Backend("numpy", "cpu", "float64")


def random_block(grid, box, nonnegative, batch=2):
    rng = np.random.default_rng(3)
    objects, support = np.zeros((batch, *grid)), np.zeros((batch, *grid), dtype=bool)
    objects[:, : box[0], : box[1]] = rng.random((batch, *box))
    support[:, : box[0], : box[1]] = True
    block = Block(FLOAT64, np.abs(np.fft.rfft2(objects)), support, True, nonnegative, box)
    return block, rng.standard_normal((batch, *grid))


def pursue(name, block, start, limit, every, tolerance=0.0, *, checked=True, order=0):
    """The shared-memory kernel: the new iterate, the estimate, its residual, and the iterations done."""
    grid, box = start.shape[1:], block.box
    split = plan(grid, box)
    kernels = emulator.Emulated(source("projection"), split.macros() | {"MAP": None, "NONNEGATIVE": None})
    kernels.choose(MAP=MAPS.index(name), NONNEGATIVE=block.nonnegative)
    x, magnitude = start.astype(np.float32), block.magnitude.astype(np.float32)
    following, estimate = np.full_like(x, np.nan), np.full_like(x, np.nan)
    residual, age = np.full(len(x), np.inf, np.float32), np.zeros(len(x), np.int32)
    beta = np.float32(getattr(create(name), "beta", 0))
    arguments = (
        *(x, magnitude, following, estimate if checked else np.uintp(0), residual, age),
        *(np.broadcast_to(np.asarray(limit, np.int32), len(x)).copy(), np.int32(every), np.float64(tolerance), beta),
    )
    kernels.launch("pursue", len(x), split.threads, arguments, shared=split.shared_bytes, order=order)
    return following, estimate, residual, age


def iterate(name, block, start, count, **options):
    """So many iterations, and one look: the new iterate, the estimate and its residual."""
    return pursue(name, block, start, count, count, **options)[:3]


def assert_close(found, expected, tolerance=2e-6):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize(("grid", "box"), GRIDS)
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("name", MAPS)
def test_a_launch_is_so_many_iterations_of_the_reference_map(name, nonnegative, grid, box):
    block, start = random_block(grid, box, nonnegative)
    solver, x = create(name), start
    for _ in range(3):
        x = solver.step(x, block)
    estimate = solver.solution(x, block)
    found = iterate(name, block, start, 3)
    assert_close(found[0], x, 1e-5)
    assert_close(found[1], estimate, 1e-5)
    np.testing.assert_allclose(found[2], block.residual(estimate), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", MAPS)
def test_one_iteration_is_exact_to_rounding(name):
    block, start = random_block((96, 96), (42, 42), True)
    solver = create(name)
    assert_close(iterate(name, block, start, 1)[0], solver.step(start, block), 1e-6)


@pytest.mark.parametrize("name", ["hio", "rrr"])
@pytest.mark.parametrize(("grid", "box"), [((96, 96), (42, 42)), ((90, 100), (40, 45))])
def test_the_order_in_which_threads_run_between_barriers_changes_nothing(name, grid, box):
    block, start = random_block(grid, box, True)
    one, *others = (iterate(name, block, start, 2, order=order) for order in emulator.ORDERS)
    for other in others:
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_iterate_does_not_depend_on_whether_the_estimate_is_wanted():
    block, start = random_block((64, 64), (28, 28), True)
    for name in MAPS:
        checked, alone = iterate(name, block, start, 2), iterate(name, block, start, 2, checked=False)
        assert_close(alone[0], checked[0], 1e-6)
        assert np.isnan(alone[1]).all()


def test_two_launches_are_as_good_as_one():
    block, start = random_block((96, 96), (42, 42), True)
    for name in MAPS:
        halfway = iterate(name, block, start, 4)[0]
        assert_close(iterate(name, block, halfway, 4)[0], iterate(name, block, start, 8)[0], 1e-4)


@pytest.mark.parametrize(("grid", "box"), [((16, 12), (6, 5)), ((96, 96), (42, 42))])
@pytest.mark.parametrize("name", MAPS)
def test_a_pursuit_is_a_series_of_launches_with_a_look_after_each(name, grid, box):
    block, x = random_block(grid, box, True)
    limit, every = [11, 8], 4
    looks, ages = [], np.zeros(2, int)
    while (ages < limit).any():
        x, estimate, residual = iterate(name, block, x, min(every, max(limit) - ages.max()))
        ages = np.minimum(ages + every, limit)
        looks.append((x, estimate, residual))
    following, estimate, residual, age = pursue(name, block, random_block(grid, box, True)[1], limit, every)
    assert age.tolist() == limit
    for image in range(2):
        seen = [look for look, end in zip(looks, (4, 8, 11), strict=True) if end <= limit[image]]
        best = int(np.argmin([look[2][image] for look in seen]))
        assert residual[image] == seen[best][2][image]
        np.testing.assert_array_equal(estimate[image], seen[best][1][image])
        np.testing.assert_array_equal(following[image], seen[-1][0][image])


def test_a_pursuit_ends_where_the_residual_is_within_the_tolerance():
    block, start = random_block((16, 12), (6, 5), True, batch=4)
    first = iterate("er", block, start, 5)[2]
    tolerance = float(np.median(first))
    _, _, residual, age = pursue("er", block, start, 40, 5, tolerance)
    assert (age[first <= tolerance] == 5).all()
    assert (age[first > tolerance] > 5).all()
    assert ((residual <= tolerance) | (age == 40)).all()
    _, _, same, ages = pursue("er", block, start, 40, 5, float(residual[0]))
    assert (same[0], ages[0]) == (residual[0], age[0]), "a residual equal to the tolerance is within it"


def test_a_pursuit_that_is_not_finite_ends_at_the_first_look_and_harms_no_other():
    block, start = random_block((16, 12), (6, 5), True, batch=3)
    clean = pursue("rrr", block, start, 12, 4)
    block.magnitude[1, 2, 2] = np.nan
    following, estimate, residual, age = pursue("rrr", block, start, 12, 4)
    assert age.tolist() == [12, 4, 12]
    assert residual[1] == np.inf
    assert np.isnan(estimate[1]).all(), "it is left as it was"
    for found, expected in zip((following, estimate, residual), clean, strict=False):
        np.testing.assert_array_equal(found[[0, 2]], expected[[0, 2]])


def test_iterations_that_nobody_looks_at_go_up_to_the_limit():
    block, start = random_block((16, 12), (6, 5), True)
    for name in MAPS:
        halves, whole = (pursue(name, block, start, 8, every, checked=False)[0] for every in (4, 8))
        assert_close(halves, whole, 1e-5)


def test_an_image_of_nothing_is_projected_onto_finite_numbers():
    block, _ = random_block((64, 64), (28, 28), False)
    for found in iterate("er", block, np.zeros((2, 64, 64)), 1):
        assert np.isfinite(found).all()


@pytest.mark.slow
@pytest.mark.parametrize(("grid", "box"), [((96, 96), (42, 42)), ((77, 26), (31, 9)), ((300, 162), (140, 80))])
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("name", MAPS)
def test_the_kernels_around_cufft_are_the_rest_of_an_iteration(name, nonnegative, grid, box):
    block, start = random_block(grid, box, nonnegative, batch=1)
    macros = size_macros(grid, box) | {"MAP": None, "NONNEGATIVE": None}
    kernels = emulator.Emulated(source("elementwise"), macros)
    kernels.choose(MAP=MAPS.index(name), NONNEGATIVE=nonnegative)

    def run(kernel, first, *rest):
        kernels.launch(kernel, -(-first.size // 256), 256, (first, *rest))

    solver = create(name)
    beta = np.float32(getattr(solver, "beta", 0))
    x = start.astype(np.float32)
    given = np.empty_like(x)
    if name == "rrr":
        run("reflect", x, given, np.uint64(x.size))
    else:
        given[...] = x
    z = np.fft.rfft2(given).astype(np.complex64)
    run("constrain", z, block.magnitude.astype(np.float32), np.uint64(z.size))
    p = np.fft.irfft2(z, s=grid, norm="forward").astype(np.float32)
    run("renew", x, p, beta, np.uint64(x.size))
    assert_close(x, solver.step(start, block))
