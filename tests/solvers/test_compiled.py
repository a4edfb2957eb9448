"""The compiled kernels compute what the readable code says, to the rounding of float32."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from oracles import literal_scan

from bench.metrics import _explained_energy, adjusted_mse
from solvers import compiled, create
from solvers.backend import Backend
from solvers.block import Block
from solvers.iterative import CHECK_EVERY

pytestmark = pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")

GRIDS = [((96, 96), (42, 42)), ((64, 90), (20, 31)), ((30, 75), (12, 30)), ((15, 27), (7, 9)), ((8, 4), (3, 2))]
FLOAT32, FLOAT64 = Backend("torch", "cpu", "float32"), Backend("torch", "cpu", "float64")


def random_block(backend, grid, box, batch, nonnegative, seed=0):
    rng = np.random.default_rng(seed)
    objects = np.zeros((batch, *grid))
    objects[:, : box[0], : box[1]] = rng.random((batch, *box))
    support = np.zeros((batch, *grid), dtype=bool)
    support[:, : box[0], : box[1]] = True
    magnitude = np.abs(np.fft.rfft2(objects))
    block = Block(backend, backend.asarray(magnitude), backend.asarray(support), True, nonnegative, box)
    return block, rng.standard_normal((batch, *grid))


@pytest.mark.parametrize(("grid", "box"), GRIDS)
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("name", compiled.MAPS)
def test_an_iteration_is_that_of_the_reference_map(name, nonnegative, grid, box):
    solver = create(name)
    exact, start = random_block(FLOAT64, grid, box, 3, nonnegative)
    expected = solver.step(solver.step(FLOAT64.asarray(start), exact), exact).numpy()
    fast, _ = random_block(FLOAT32, grid, box, 3, nonnegative)
    assert fast.compiled
    (found,) = solver.advance((FLOAT32.asarray(start),), fast, 2)
    np.testing.assert_allclose(found.numpy(), expected, atol=3e-5 * np.abs(expected).max())


@pytest.mark.parametrize("batch", [1, 2, 17])
def test_an_image_does_not_notice_its_neighbours(batch):
    block, start = random_block(FLOAT32, (96, 96), (42, 42), batch, True)
    solver = create("rrr")
    (together,) = solver.advance((FLOAT32.asarray(start),), block, 5)
    for i in {0, batch // 2, batch - 1}:
        row = FLOAT32.asarray(np.array([i]))
        (alone,) = solver.advance((FLOAT32.asarray(start[i : i + 1]),), block.take(row), 5)
        np.testing.assert_array_equal(alone[0].numpy(), together[i].numpy())


@pytest.mark.parametrize(("grid", "box"), GRIDS)
def test_the_residual_is_that_of_the_whole_plane(grid, box):
    block, x = random_block(FLOAT32, grid, box, 5, False)
    exact, _ = random_block(FLOAT64, grid, box, 5, False)
    measured = np.zeros((5, *grid))
    measured[:, : box[0], : box[1]] = np.random.default_rng(0).random((5, *box))
    root = np.abs(np.fft.fft2(measured))
    literal = np.linalg.norm(np.abs(np.fft.fft2(x)) - root, axis=(1, 2)) / np.linalg.norm(root, axis=(1, 2))
    np.testing.assert_allclose(exact.residual(FLOAT64.asarray(x)).numpy(), literal, rtol=1e-10)
    np.testing.assert_allclose(block.residual(FLOAT32.asarray(x)).numpy(), literal, rtol=1e-5)


@pytest.mark.parametrize("memory", [0, 1, 4])
@pytest.mark.parametrize("nonnegative", [False, True])
def test_alm_is_that_of_the_reference(nonnegative, memory):
    solver = create(f"alm[memory={memory},inner=3,rho=0.1,growth=1.5,shrink=0.9]")
    exact, start = random_block(FLOAT64, (30, 24), (13, 10), 18, nonnegative)
    fast, _ = random_block(FLOAT32, (30, 24), (13, 10), 18, nonnegative)
    expected = solver.begin(FLOAT64.asarray(start), exact)
    found = solver.begin(FLOAT32.asarray(start), fast)
    for count in (1, 4, 3):
        expected, found = solver.advance(expected, exact, count), solver.advance(found, fast, count)
    assert len(found) == len(expected) == 9 + 2 * memory
    for one, other in zip(found, expected, strict=True):
        scale = max(np.abs(other.numpy()).max(), 1e-3)
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-3 * scale)


@pytest.mark.parametrize("name", ["er", "rrr", "alm"])
def test_a_start_that_is_not_finite_ends_at_its_first_check(name):
    solver = create(f"{name}[tolerance=0]")
    block, start = random_block(FLOAT32, (15, 27), (7, 9), 3, True)
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
@pytest.mark.parametrize("name", [*compiled.MAPS, "alm"])
def test_an_image_does_not_notice_the_one_before_it(name, grid, box, before):
    """The images of a call, and those of the next call, are worked on in the same memory."""
    solver = create(name)
    block, start = random_block(FLOAT32, grid, box, 2, True)
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


def test_lengths_with_other_prime_factors_go_the_portable_way():
    assert not compiled.supports((14, 16))
    assert not compiled.supports((16, 22))
    assert compiled.supports((15, 27))
    assert compiled.supports((96, 96))


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
@pytest.mark.parametrize(("grid", "box"), [*GRIDS, ((9, 10), (9, 10)), ((10, 9), (1, 4))])
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
