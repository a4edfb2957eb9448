"""The CUDA kernels' own source, run on a CPU, computes what the readable code says, to the rounding of float32."""

from __future__ import annotations

import re
from dataclasses import replace

import emulator
import numpy as np
import pytest

from solvers import create
from solvers.backend import Backend
from solvers.cuda.kind import Kind
from solvers.cuda.plan import plan, refusal
from solvers.cuda.source import source
from solvers.iterative.block import Block, magnitudes

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

# Of a block: what is known of its images.
KNOWN = {
    "mask": {"masked": True},
    "support": {"supported": True},
    "mask and support": {"masked": True, "supported": True},
}
COMPLEX = {"complex": {"real": False}} | {f"complex, {name}": {**known, "real": False} for name, known in KNOWN.items()}


def random_block(grid, box, nonnegative, batch=2, *, real=True, masked=False, supported=False):
    """Images of random objects, each with a mask and a support of its own, and iterates all over the grid."""
    rng = np.random.default_rng(3)
    objects, support = np.zeros((batch, *grid), np.complex128), np.zeros((batch, *grid), dtype=bool)
    objects[:, : box[0], : box[1]] = rng.random((batch, *box))
    support[:, : box[0], : box[1]] = rng.random((batch, *box)) < 0.7 if supported else True
    support[:, 0, 0] = True  # none is empty
    start = rng.standard_normal((batch, *grid))
    mask = None
    if masked:
        mask = rng.random((batch, *grid)) < 0.7
        mask[:, 0, 0], mask[0, -1, -1] = False, True
    if real:
        objects = objects.real
    else:
        objects, start = objects * np.exp(2j * objects.real), start + 1j * rng.standard_normal((batch, *grid))
    magnitude = magnitudes(np.abs(np.fft.fft2(objects * support)) ** 2, mask, real)
    assert (magnitude < 0).any() == masked
    box_alone = None if supported else box
    return Block(FLOAT64, magnitude, support, real, nonnegative, box_alone, frame=box), start


def kind_of(name, block):
    known = {"nonnegative": block.nonnegative, "real": block.real, "masked": block.masked}
    return Kind(name, block.grid, block.frame, **known, supported=block.box is None)


def arrays(kind, block, start):
    """What a kernel takes: images, magnitudes, and supports or a null pointer."""
    support = block.support if kind.supported else np.uintp(0)
    return start.astype(kind.dtype), block.magnitude.astype(np.float32), support


def emulated(name, macros):
    kernels = emulator.Emulated(source(name), macros | dict.fromkeys(emulator.LATE))
    kernels.choose(**{late: macros[late] for late in emulator.LATE})
    return kernels


def pursue(name, block, start, limit, every, tolerance=0.0, *, checked=True, order=0):
    """The shared-memory kernel: the new iterate, the estimate, its residual, and the iterations done."""
    kind = kind_of(name, block)
    split = plan(kind)
    kernels = emulated("projection", kind.macros() | split.macros())
    x, magnitude, support = arrays(kind, block, start)
    following, estimate = np.full_like(x, np.nan), np.full_like(x, np.nan)
    residual, age = np.full(len(x), np.inf, np.float32), np.zeros(len(x), np.int32)
    beta = np.float32(getattr(create(name), "beta", 0))
    arguments = (
        *(x, magnitude, following, estimate if checked else np.uintp(0), residual, age),
        *(np.broadcast_to(np.asarray(limit, np.int32), len(x)).copy(), np.int32(every), np.float64(tolerance), beta),
        support,
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
    assert_three_iterations(name, *random_block(grid, box, nonnegative))


def assert_three_iterations(name, block, start):
    """A launch is three iterations of the readable code, and a look."""
    solver, x = create(name), start
    for _ in range(3):
        x = solver.step(x, block)
    estimate = solver.solution(x, block)
    found = iterate(name, block, start, 3)
    assert_close(found[0], x, 1e-5)
    assert_close(found[1], estimate, 1e-5)
    np.testing.assert_allclose(found[2], block.residual(estimate), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("grid", "box"), GRIDS)
@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("name", MAPS)
def test_so_it_is_with_masks_and_supports_of_real_images(name, known, grid, box):
    nonnegative = name in ("hio", "rrr")
    assert_three_iterations(name, *random_block(grid, box, nonnegative, **KNOWN[known]))


@pytest.mark.parametrize(
    ("grid", "box"),
    [
        pytest.param(*size, marks=[pytest.mark.slow] if size[0] in ((64, 64), (90, 96)) else [])
        for size in GRIDS
        if refusal(size[0], real=False) is None
    ],
)
@pytest.mark.parametrize("known", COMPLEX)
@pytest.mark.parametrize("name", MAPS)
def test_and_of_complex_images(name, known, grid, box):
    assert_three_iterations(name, *random_block(grid, box, False, **COMPLEX[known]))


@pytest.mark.parametrize("name", MAPS)
def test_one_iteration_is_exact_to_rounding(name):
    block, start = random_block((96, 96), (42, 42), True)
    solver = create(name)
    assert_close(iterate(name, block, start, 1)[0], solver.step(start, block), 1e-6)


@pytest.mark.parametrize("name", ["hio", "rrr"])
@pytest.mark.parametrize("known", [{"real": True}, {"real": False}], ids=str)
@pytest.mark.parametrize(("grid", "box"), [((96, 96), (42, 42)), ((90, 80), (39, 45))])
def test_the_order_in_which_threads_run_between_barriers_changes_nothing(name, grid, box, known):
    block, start = random_block(grid, box, known["real"], masked=True, supported=True, **known)
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


@pytest.mark.parametrize("known", [{"masked": True}, {"real": False}, {"real": False, "supported": True}], ids=str)
def test_images_of_other_kinds_are_pursued_likewise(known):
    block, start = random_block((16, 12), (6, 5), False, batch=3, **known)
    block.magnitude[1, 2, 2] = np.nan
    following, estimate, residual, age = pursue("rrr", block, start, [11, 8, 4], 4)
    assert age.tolist() == [11, 4, 4]
    assert residual[1] == np.inf
    assert_close(following[2], iterate("rrr", block, start, 4)[0][2], 1e-6)
    halfway = iterate("rrr", block, start, 4)
    np.testing.assert_array_equal(estimate[2], halfway[1][2])
    assert residual[2] == halfway[2][2]
    assert residual[0] <= halfway[2][0]


def test_arrays_of_another_kind_are_refused():
    kind = Kind("rrr", (16, 12), (6, 5), masked=True)
    block, start = random_block((16, 12), (6, 5), False, masked=True)
    x, magnitude, _ = arrays(kind, block, start)
    kind.check(x, magnitude, None)
    for wrong, message in (
        ((start, magnitude, None), "images (2, 16, 12) in float32, not (2, 16, 12) in float64"),
        ((x, magnitude[:, :, 1:], None), "magnitudes (2, 16, 7) in float32, not (2, 16, 6) in float32"),
        ((x, magnitude, block.support), "the kernel takes no support"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            kind.check(*wrong)
    with pytest.raises(ValueError, match="the kernel takes a support of each image"):
        replace(kind, supported=True).check(x, magnitude, None)


def test_an_image_of_nothing_is_projected_onto_finite_numbers():
    block, _ = random_block((64, 64), (28, 28), False)
    for found in iterate("er", block, np.zeros((2, 64, 64)), 1):
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("grid", "box"),
    [
        *(pytest.param(*size, marks=pytest.mark.slow) for size in (((96, 96), (42, 42)), ((300, 162), (140, 80)))),
        ((77, 26), (31, 9)),
        ((13, 17), (5, 7)),
        ((2, 3), (2, 3)),
    ],
)
@pytest.mark.parametrize("known", [{}, {"nonnegative": True}, *KNOWN.values(), *COMPLEX.values()], ids=str)
@pytest.mark.parametrize("name", MAPS)
def test_the_kernels_around_cufft_are_the_rest_of_an_iteration(name, known, grid, box):
    block, start = random_block(grid, box, **{"nonnegative": False, "batch": 2} | known)
    kind = kind_of(name, block)
    kernels = emulated("elementwise", kind.macros())
    x, magnitude, support = arrays(kind, block, start)

    def run(kernel, first, *rest):
        kernels.launch(kernel, -(-first.size // 256), 256, (first, *rest))

    solver = create(name)
    beta = np.float32(getattr(solver, "beta", 0))
    given = np.empty_like(x)
    if name == "rrr":
        run("reflect", x, given, support, np.uint64(x.size))
    else:
        given[...] = x
    there, back = (np.fft.rfft2, np.fft.irfft2) if block.real else (np.fft.fft2, np.fft.ifft2)
    z = there(given).astype(np.complex64)
    run("constrain", z, magnitude, np.uint64(z.size))
    p = back(z, s=grid, norm="forward").astype(kind.dtype)
    run("renew", x, p, support, beta, np.uint64(x.size))
    assert_close(x, solver.step(start, block))
