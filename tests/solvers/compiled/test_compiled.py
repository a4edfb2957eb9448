"""The compiled kernels compute what the readable code says, to the rounding of float32."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import scipy.fft
from hypothesis import given
from hypothesis import strategies as st
from oracles import literal_scan

from bench.score.metrics import _explained_energy, adjusted_mse
from datasets.forward import expand_half_plane
from solvers import compiled, create
from solvers.alm.solver import _Iterate
from solvers.backend import Backend
from solvers.compiled import UNMEASURED
from solvers.iterative.block import Block
from solvers.iterative.state import CHECK_EVERY

pytestmark = pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")

GRIDS = [((96, 96), (42, 42)), ((64, 90), (20, 31)), ((30, 75), (12, 30)), ((15, 27), (7, 9)), ((8, 4), (3, 2))]
PRIMES = [((14, 22), (6, 9)), ((26, 49), (12, 20)), ((121, 7), (50, 3)), ((11, 13), (5, 6))]
FAST = [m for m in range(2, 50) if not any(m % p == 0 for p in (17, 19, 23, 29, 31, 37, 41, 43, 47))]
FLOAT32, FLOAT64 = Backend("torch", "cpu", "float32"), Backend("torch", "cpu", "float64")
KINDS = ["real", "nonnegative", "complex"]


def random_block(backend, grid, box, batch, kind="real", *, drawn=False, masked=False, seed=0):
    """A block of random objects, perhaps with supports of their own and unmeasured parts, and images to start from."""
    rng = np.random.default_rng(seed)
    parts = 2 if kind == "complex" else 1
    images = lambda: rng.standard_normal((batch, grid[0], parts * grid[1])).view(complex if parts == 2 else float)  # noqa: E731
    support = np.zeros((batch, *grid), dtype=bool)
    support[:, : box[0], : box[1]] = True
    if drawn:
        support = rng.random((batch, *grid)) < 0.4
    objects = np.where(support, images() if kind == "complex" else rng.random((batch, *grid)), 0)
    magnitude = np.abs(np.fft.fft2(objects))
    if masked:
        hidden = rng.random((batch, *grid)) < 0.2
        hidden[:, 0, 0] = True
        if kind != "complex":  # both of k and −k, or none
            hidden &= np.roll(hidden[:, ::-1, ::-1], 1, axis=(1, 2))
        magnitude[hidden] = UNMEASURED
    if kind != "complex":
        magnitude = magnitude[:, :, : grid[1] // 2 + 1]
    block = Block(
        backend,
        backend.asarray(magnitude),
        backend.asarray(support),
        kind != "complex",
        kind == "nonnegative",
        None if drawn else box,
    )
    return block, images()


@pytest.mark.parametrize(("grid", "box"), [*GRIDS, *PRIMES])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", compiled.MAPS)
def test_an_iteration_is_that_of_the_reference_map(name, kind, grid, box):
    solver = create(name)
    exact, start = random_block(FLOAT64, grid, box, 3, kind)
    expected = solver.step(solver.step(FLOAT64.asarray(start), exact), exact).numpy()
    fast, _ = random_block(FLOAT32, grid, box, 3, kind)
    assert fast.constraints
    (found,) = solver.advance((FLOAT32.asarray(start),), fast, 2)
    np.testing.assert_allclose(found.numpy(), expected, atol=3e-5 * np.abs(expected).max())


# No nonnegative HIO here: where P_M x is nearly zero, rounding decides whether a pixel is fed back.
CASES = [(name, kind) for name, kind in product(compiled.MAPS, KINDS) if (name, kind) != ("hio", "nonnegative")]


@given(
    case=st.sampled_from(CASES),
    grid=st.tuples(st.sampled_from(FAST), st.sampled_from(FAST)),
    drawn=st.booleans(),
    masked=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_iterations_and_residuals_are_those_of_the_reference_whatever_is_known(case, grid, drawn, masked, seed):
    name, kind = case
    solver, box = create(name), ((grid[0] + 1) // 2, (grid[1] + 1) // 2)
    exact, start = random_block(FLOAT64, grid, box, 2, kind, drawn=drawn, masked=masked, seed=seed)
    fast, _ = random_block(FLOAT32, grid, box, 2, kind, drawn=drawn, masked=masked, seed=seed)
    assert fast.constraints
    expected = solver.step(FLOAT64.asarray(start), exact).numpy()
    (found,) = solver.advance((FLOAT32.asarray(start),), fast, 1)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3 * np.abs(expected).max())
    residual = exact.residual(FLOAT64.asarray(start)).numpy()
    np.testing.assert_allclose(fast.residual(FLOAT32.asarray(start)).numpy(), residual, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", compiled.MAPS)
def test_thousands_of_iterations_leave_a_solution_where_it_is(name, kind):
    block, _ = random_block(FLOAT32, (30, 26), (13, 11), 2, kind, seed=3)
    start = np.random.default_rng(0).random((2, 30, 26))
    start[:, 13:] = start[:, :, 11:] = 0
    if kind == "complex":
        start = start * np.exp(2j * np.pi * np.random.default_rng(1).random(start.shape))
    half = slice(None) if kind == "complex" else slice(26 // 2 + 1)
    block = replace(block, magnitude=FLOAT32.asarray(np.abs(np.fft.fft2(start))[:, :, half]))
    solver = create(f"{name}[tolerance=0]")
    images = solver.pursue(solver.begin(FLOAT32.asarray(start), block), block, np.full(2, 5000)).state[0].numpy()
    phase = np.sign(np.sum(images.conj() * start, axis=(1, 2), keepdims=True))  # of a complex image nothing holds it
    np.testing.assert_allclose(images * phase, start, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["hio", "rrr", "alm"])
def test_a_support_that_is_the_box_is_the_box(name, kind):
    solver = create(f"{name}[tolerance=0]")
    block, start = random_block(FLOAT32, (30, 26), (13, 11), 3, kind, masked=True)
    limit = np.array([25, 41, 40])
    one, other = (
        solver.pursue(solver.begin(FLOAT32.asarray(start), b), b, limit) for b in (block, replace(block, box=None))
    )
    np.testing.assert_array_equal(one.estimate.numpy(), other.estimate.numpy())
    np.testing.assert_array_equal(one.residual.numpy(), other.residual.numpy())


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_a_coefficient_that_was_not_measured_stays_as_it_is(kind):
    block, start = random_block(FLOAT32, (30, 26), (30, 26), 4, kind, masked=True)  # no constraint but the magnitudes
    (p,) = create("er").advance((FLOAT32.asarray(start),), block, 1)
    transform = np.fft.fft2 if kind == "complex" else np.fft.rfft2
    before, after, magnitude = transform(start), transform(p.numpy().astype(start.dtype)), block.magnitude.numpy()
    free = magnitude < 0
    assert 0.01 < free.mean() < 0.5
    np.testing.assert_allclose(after[free], before[free], atol=1e-3)
    np.testing.assert_allclose(np.abs(after[~free]), magnitude[~free], atol=1e-3)


@pytest.mark.parametrize("batch", [1, 2, 17])
def test_an_image_does_not_notice_its_neighbours(batch):
    block, start = random_block(FLOAT32, (96, 96), (42, 42), batch, "nonnegative")
    solver = create("rrr")
    (together,) = solver.advance((FLOAT32.asarray(start),), block, 5)
    for i in {0, batch // 2, batch - 1}:
        row = FLOAT32.asarray(np.array([i]))
        (alone,) = solver.advance((FLOAT32.asarray(start[i : i + 1]),), block.take(row), 5)
        np.testing.assert_array_equal(alone[0].numpy(), together[i].numpy())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize(("grid", "box"), [*GRIDS, *PRIMES])
def test_the_residual_is_that_of_what_was_measured_of_the_whole_plane(grid, box, kind, masked):
    block, x = random_block(FLOAT32, grid, box, 5, kind, masked=masked)
    exact, _ = random_block(FLOAT64, grid, box, 5, kind, masked=masked)
    root = exact.magnitude.numpy()
    if kind == "real":
        root = expand_half_plane(root, grid[1])
    wrong = np.where(root < 0, 0, np.abs(np.fft.fft2(x)) - root)
    literal = np.linalg.norm(wrong, axis=(1, 2)) / np.linalg.norm(np.clip(root, 0, None), axis=(1, 2))
    np.testing.assert_allclose(exact.residual(FLOAT64.asarray(x)).numpy(), literal, rtol=1e-10)
    np.testing.assert_allclose(block.residual(FLOAT32.asarray(x)).numpy(), literal, rtol=1e-5)


@pytest.mark.parametrize("memory", [0, 1, 4])
@pytest.mark.parametrize("grid", [(30, 24), (27, 33)])
@pytest.mark.parametrize(
    ("kind", "drawn", "masked"),
    [*((kind, False, False) for kind in KINDS), ("nonnegative", True, True), ("complex", True, True)],
)
def test_alm_is_that_of_the_reference(kind, drawn, masked, grid, memory):
    solver = create(f"alm[memory={memory},inner=3,rho=0.1,growth=1.5,shrink=0.9]")
    case = (grid, (13, 10), 18, kind)
    exact, start = random_block(FLOAT64, *case, drawn=drawn, masked=masked)
    fast, _ = random_block(FLOAT32, *case, drawn=drawn, masked=masked)
    expected = solver.begin(FLOAT64.asarray(start), exact)
    found = solver.begin(FLOAT32.asarray(start), fast)
    for count in (1, 4, 3):
        expected, found = solver.advance(expected, exact, count), solver.advance(found, fast, count)
    evaluations, scalars, spectra = found
    iterate = _Iterate(*expected[: len(_Iterate._fields)])
    assert spectra.shape[:2] == (18, 3 + 2 * memory)
    np.testing.assert_array_equal(evaluations.numpy(), iterate.evaluations.numpy())
    for number, name in enumerate(("value", "rho", "violation", "inner")):
        np.testing.assert_allclose(scalars[:, number].numpy(), getattr(iterate, name).numpy(), rtol=1e-3, atol=1e-6)
    images = solver.estimate(expected, exact).numpy()
    np.testing.assert_allclose(solver.estimate(found, fast).numpy(), images, atol=1e-3 * np.abs(images).max())


@pytest.mark.parametrize("kind", KINDS)
def test_alm_goes_on_with_another_support(kind):
    """Its value and its gradient are then those of the new one."""
    solver = create("alm[inner=3,rho=0.1,growth=1.5,shrink=0.9,support=shrinkwrap]")
    case = ((30, 24), (13, 10), 4, kind)
    exact, start = random_block(FLOAT64, *case)
    fast, _ = random_block(FLOAT32, *case)
    smaller = np.zeros((4, 30, 24), dtype=bool)
    smaller[:, 2:11, 1:8] = True
    expected = solver.advance(solver.begin(FLOAT64.asarray(start), exact), exact, 4)
    found = solver.advance(solver.begin(FLOAT32.asarray(start), fast), fast, 4)
    exact, fast = (replace(one, support=one.backend.asarray(smaller), box=None) for one in (exact, fast))
    expected, found = solver.advance(expected, exact, 0), solver.advance(found, fast, 0)
    iterate = _Iterate(*expected[: len(_Iterate._fields)])
    value, gradient = solver.penalised(iterate.z, iterate.misfit, iterate.multiplier, iterate.rho, exact)
    np.testing.assert_allclose(iterate.value, value)
    np.testing.assert_allclose(iterate.gradient, gradient, atol=1e-12)
    np.testing.assert_allclose(found[1][:, 0].numpy(), value.numpy(), rtol=1e-3)
    expected, found = solver.advance(expected, exact, 5), solver.advance(found, fast, 5)
    np.testing.assert_array_equal(found[0].numpy(), expected[0].numpy())
    images = solver.estimate(expected, exact).numpy()
    np.testing.assert_allclose(solver.estimate(found, fast).numpy(), images, atol=1e-3 * np.abs(images).max())


@pytest.mark.parametrize("name", ["er", "rrr", "alm"])
def test_a_start_that_is_not_finite_ends_at_its_first_check(name):
    solver = create(f"{name}[tolerance=0]")
    block, start = random_block(FLOAT32, (15, 27), (7, 9), 3, "nonnegative", masked=True)
    lost = replace(block, magnitude=block.magnitude * FLOAT32.asarray(np.array([1.0, np.nan, 1.0]))[:, None, None])
    limit = np.array([50, 50, 30])
    ends = solver.pursue(solver.begin(FLOAT32.asarray(start), lost), lost, limit)
    healthy = solver.pursue(solver.begin(FLOAT32.asarray(start), block), block, limit)
    assert ends.iterations.tolist() == [50, CHECK_EVERY, 30]
    assert float(ends.residual[1]) == np.inf
    assert (ends.estimate[1] == 0).all()
    for i in (0, 2):
        assert ends.residual[i] == healthy.residual[i]
        np.testing.assert_array_equal(ends.estimate[i].numpy(), healthy.estimate[i].numpy())


@pytest.mark.parametrize("before", [1.0, 1e17, np.nan])
@pytest.mark.parametrize(("grid", "box"), GRIDS)
@pytest.mark.parametrize(("name", "kind"), [*product([*compiled.MAPS, "alm"], ["nonnegative"]), ("rrr", "complex")])
def test_an_image_does_not_notice_the_one_before_it(name, kind, grid, box, before):
    """The images of a call, and those of the next call, are worked on in the same memory."""
    solver = create(name)
    block, start = random_block(FLOAT32, grid, box, 2, kind)
    healthy = block.take(FLOAT32.asarray(np.array([1])))
    image = FLOAT32.asarray(start[1:])
    alone = solver.advance(solver.begin(image, healthy), healthy, 3)
    residual = healthy.residual(image)
    troubled = replace(block, magnitude=block.magnitude * FLOAT32.asarray(np.array([before, 1.0]))[:, None, None])
    start[0] *= before
    together = solver.advance(solver.begin(FLOAT32.asarray(start), troubled), troubled, 3)
    for found in (tuple(a[1:] for a in together), solver.advance(solver.begin(image, healthy), healthy, 3)):
        for one, other in zip(found, alone, strict=True):
            assert np.isfinite(one.numpy()).all() or not np.isfinite(other.numpy()).all()
            np.testing.assert_array_equal(one.numpy(), other.numpy())
    np.testing.assert_array_equal(troubled.residual(FLOAT32.asarray(start))[1:].numpy(), residual.numpy())


def test_lengths_with_larger_prime_factors_go_the_portable_way(caplog):
    compiled.supports.cache_clear()
    assert compiled.supports((14, 26))
    assert compiled.supports((96, 121))
    assert not caplog.messages
    for _ in range(2):
        assert not compiled.supports((257, 259))
        assert not compiled.supports((96, 34))
    assert caplog.messages == [
        "images of 257×259 take portable code, several times slower: a length is 1, or has a prime factor above 13; "
        "the nearest fast size is 256×260",
        "images of 96×34 take portable code, several times slower: a length is 1, or has a prime factor above 13; "
        "the nearest fast size is 96×35",
    ]


@pytest.mark.parametrize("length", [7, 11, 13, 14, 22, 26, 49, 77, 91, 121, 143, 169, 1001])
def test_lengths_of_seven_eleven_and_thirteen_are_transformed_exactly(length):
    """P_M of an image that has the magnitudes already is that image."""
    rng = np.random.default_rng(length)
    x = rng.standard_normal((1, length, 2)) + 1j * rng.standard_normal((1, length, 2))
    everywhere = FLOAT32.asarray(np.ones(x.shape, dtype=bool))
    block = Block(FLOAT32, FLOAT32.asarray(np.abs(np.fft.fft2(x))), everywhere, False, False, x.shape[1:])
    (found,) = create("er").advance((FLOAT32.asarray(x),), block, 1)
    np.testing.assert_allclose(found.numpy(), x, atol=1e-5)


# ---- libraries


@pytest.fixture(params=compiled.WIDTHS)
def library(request, monkeypatch):
    """A library of those that were built, in place of the one with the widest registers."""
    if request.param > compiled.load(compiled.WIDTHS[-1]).phasebench_widest():
        pytest.skip(f"this processor has no registers of {request.param} numbers")
    found = compiled.load(request.param)
    if found is None:
        pytest.skip(f"no library for registers of {request.param} numbers was built")
    monkeypatch.setattr(compiled, "kernels", lambda: found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("grid", "box"), GRIDS)
def test_every_library_computes_the_same(library, grid, box, kind):
    for name in compiled.MAPS:
        test_an_iteration_is_that_of_the_reference_map(name, kind, grid, box)
    test_the_residual_is_that_of_what_was_measured_of_the_whole_plane(
        grid, box, "complex" if kind == "complex" else "real", True
    )
    test_alm_is_that_of_the_reference(kind, True, True, (27, 33), 4)
    test_the_search_finds_windows_as_good_as_the_best(grid, box, True)


def test_an_iteration_costs_less_than_the_transforms_that_it_stands_for(library):
    """A third to two thirds of them. Vectors that do not fit into registers make it ten times as much, which is noticed
    with so wide a margin on any machine: the two are timed in turns."""
    block, start = random_block(FLOAT32, (96, 96), (42, 42), 4, "nonnegative")
    solver, x, images = create("rrr[nonneg=true]"), FLOAT32.asarray(start), start.astype(np.float32)

    def transforms(count):
        for _ in range(count):
            scipy.fft.irfft2(scipy.fft.rfft2(images), s=images.shape[1:])

    def seconds(work):
        began = time.process_time()
        work()
        return time.process_time() - began

    ratios = [seconds(lambda: solver.advance((x,), block, 50)) / seconds(lambda: transforms(50)) for _ in range(5)]
    assert min(ratios) < 1.5


def test_the_library_is_the_widest_that_the_processor_can_run():
    widest = compiled.load(compiled.WIDTHS[-1]).phasebench_widest()
    built = [lanes for lanes in compiled.WIDTHS if compiled.load(lanes) is not None]
    assert compiled.kernels().phasebench_lanes() == max(lanes for lanes in built if lanes <= widest)


def test_a_library_of_another_version_is_told_and_not_used(monkeypatch, caplog):
    monkeypatch.setattr(compiled, "INTERFACE", compiled.INTERFACE + 1)
    compiled.kernels.cache_clear()
    try:
        assert compiled.kernels() is None
    finally:
        compiled.kernels.cache_clear()
    assert "is of another version" in caplog.text


# ---- the search of the score


def pairs(grid, box, seed=0):
    """Truths, and copies of them anywhere on the grid: turned, noisy, of any size; one dot, and one with nothing."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((16, *box)) - 0.3).astype(np.float32)
    images = np.zeros((16, *grid))
    images[:, : box[0], : box[1]] = np.where(np.arange(16)[:, None, None] % 2, truth[:, ::-1, ::-1], truth)
    for image in images:
        image[:] = np.roll(image, rng.integers(grid), (0, 1))
    images[:6] += 0.5 * rng.standard_normal((6, *grid))
    images[6] *= 1e-9
    images[7] *= 1e9
    images[8] = 1e-12 * rng.standard_normal(grid)
    images[8:10, grid[0] // 2, grid[1] // 3] += 1e3
    images[10] = 0
    truth[11] = 0
    return truth, images.astype(np.float32)


@pytest.mark.parametrize("circular", [True, False])
@pytest.mark.parametrize(("grid", "box"), [*GRIDS, ((14, 22), (6, 9)), ((9, 10), (9, 10)), ((10, 9), (1, 4))])
def test_the_search_finds_windows_as_good_as_the_best(grid, box, circular):
    truth, images = pairs(grid, box)
    exact = [e.numpy() for e in _explained_energy(truth.astype(float), images.astype(float), circular)]
    row, column, flipped = compiled.search(truth, images, circular)
    for i in range(16):
        upright, turned = (e[i] for e in exact)
        found = (turned if flipped[i] else upright)[row[i], column[i]]
        np.testing.assert_allclose(found, max(upright.max(), turned.max()), rtol=1e-4)
        if box[0] > 1 and i in {6, 7, *range(12, 16)} and circular:  # an exact copy
            assert flipped[i] == i % 2
            np.testing.assert_array_equal(exact[i % 2][i].argmax(), row[i] * grid[1] + column[i])
    for found in (row, column, flipped):
        assert not found[[10, 11]].any()  # the first of equals
    if not circular:
        assert (row <= grid[0] - box[0]).all()
        assert (column <= grid[1] - box[1]).all()


@pytest.mark.parametrize("circular", [True, False])
def test_the_search_gives_the_score_of_the_literal_scan(circular):
    truth, images = pairs((15, 27), (7, 9))
    truth[11] = 1  # the scan is relative to its energy,
    images[8] *= images[8] > 1  # and takes windows of dust for what they are
    expected = [literal_scan(a, b, circular=circular) for a, b in zip(truth, images, strict=True)]
    np.testing.assert_allclose(adjusted_mse(truth, images, circular=circular), expected, atol=1e-5)


def test_the_search_does_not_notice_the_neighbours():
    truth, images = pairs((96, 96), (42, 42))
    together = compiled.search(truth, images, True)
    compiled.search(*pairs((30, 75), (12, 30)), True)
    for i in range(16):
        alone = compiled.search(truth[i : i + 1], images[i : i + 1], True)
        assert [a[0] for a in alone] == [a[i] for a in together]
