"""Every projection solver is the map of its paper, written out here in literal form with full complex transforms."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from conftest import prepared

from datasets import measure
from solvers import ProjectionSolver, Streams
from solvers.iterative.block import box_block

GRIDS = [(8, 8), (9, 7), (8, 9)]
SHAPE = (4, 3)


def error_reduction(x, pm, ps):
    return ps(pm(x))


def hybrid_input_output(x, pm, ps, beta):
    output = pm(x)
    satisfied = ps(output) == output  # inside the support and, with nonnegativity, not negative
    return np.where(satisfied, output, x - beta * output)


def averaged_reflections(x, pm, ps, beta):
    rm = 2 * pm(x) - x
    rs_rm = 2 * ps(rm) - rm
    return beta / 2 * (rs_rm + x) + (1 - beta) * pm(x)


def difference_map(x, pm, ps, beta):
    f_m = pm(x) + (pm(x) - x) / beta
    f_s = ps(x) - (ps(x) - x) / beta
    return x + beta * (ps(f_m) - pm(f_s))


def relaxed_reflect_reflect(x, pm, ps, beta):
    return x + beta * (pm(2 * ps(x) - x) - ps(x))


MAPS = {
    "er": (error_reduction, {}),
    "hio[beta=0.9]": (hybrid_input_output, {"beta": 0.9}),
    "hio[beta=0.6]": (hybrid_input_output, {"beta": 0.6}),
    "raar[beta=0.9]": (averaged_reflections, {"beta": 0.9}),
    "raar[beta=0.75]": (averaged_reflections, {"beta": 0.75}),
    "difference_map[beta=1]": (difference_map, {"beta": 1.0}),
    "difference_map[beta=0.7]": (difference_map, {"beta": 0.7}),
    "difference_map[beta=-0.8]": (difference_map, {"beta": -0.8}),
    "rrr[beta=0.5]": (relaxed_reflect_reflect, {"beta": 0.5}),
    "rrr[beta=1.3]": (relaxed_reflect_reflect, {"beta": 1.3}),
}


def with_nonneg(label: str, nonneg: bool) -> str:
    if not nonneg:
        return label
    return label.replace("[", "[nonneg=true,") if "[" in label else f"{label}[nonneg=true]"


def real_images(rng, count, shape):
    return rng.standard_normal((count, *shape))


def complex_images(rng, count, shape):
    return rng.standard_normal((count, *shape)) + 1j * rng.standard_normal((count, *shape))


@pytest.mark.parametrize("kind", ["real", "nonnegative", "complex"])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("label", MAPS)
def test_one_step_is_the_published_map(rng, numpy64, label, grid, kind):
    formula, parameters = MAPS[label]
    random_images = complex_images if kind == "complex" else real_images
    nonneg = kind == "nonnegative"
    m = measure(rng.random((4, *SHAPE)) if nonneg else random_images(rng, 4, SHAPE), grid=grid)
    block = box_block(m, numpy64, real=kind != "complex", nonnegative=nonneg)
    x = random_images(rng, 4, grid)

    def pm(images):
        projected = oracles.project_magnitude(images, m.intensities)
        return projected if kind == "complex" else projected.real

    def ps(images):
        return oracles.project_object(images, SHAPE, nonnegative=nonneg)

    expected = formula(x, pm, ps, **parameters)
    found = prepared(with_nonneg(label, nonneg), numpy64).step(x, block)
    np.testing.assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("nonneg", [True, False])
@pytest.mark.parametrize("label", MAPS)
def test_the_truth_is_a_fixed_point_and_its_own_solution(rng, numpy64, label, nonneg):
    x = rng.random((3, *SHAPE))
    block = box_block(measure(x, grid=(9, 8)), numpy64, real=True, nonnegative=nonneg)
    solver, truth = prepared(with_nonneg(label, nonneg), numpy64), oracles.embed(x, (9, 8))
    np.testing.assert_allclose(solver.step(truth, block), truth, atol=1e-11)
    np.testing.assert_allclose(solver.solution(truth, block), truth, atol=1e-11)


@pytest.mark.parametrize("label", MAPS)
def test_what_a_map_offers_as_its_solution_satisfies_the_object_constraints(rng, numpy64, label):
    block = box_block(measure(rng.random((4, *SHAPE)), grid=(8, 9)), numpy64, real=True, nonnegative=True)
    found = prepared(with_nonneg(label, True), numpy64).solution(real_images(rng, 4, (8, 9)), block)
    assert (found >= 0).all()
    assert (found[:, SHAPE[0] :] == 0).all()
    assert (found[:, :, SHAPE[1] :] == 0).all()
    assert (found != 0).any()


def test_the_residual_of_error_reduction_never_grows(rng, numpy64):
    block = box_block(measure(rng.random((6, *SHAPE)), grid=(8, 9)), numpy64, real=True, nonnegative=True)
    solver, x = prepared("er[nonneg=true]", numpy64), real_images(rng, 6, (8, 9))
    x = solver.step(x, block)
    for _ in range(60):
        following = solver.step(x, block)
        assert (block.residual(following) <= block.residual(x) + 1e-12).all()
        x = following


@pytest.mark.parametrize("frame", [((42, 42), (96, 96)), ((9, 12), (20, 27))], ids=["paper", "odd"])
@pytest.mark.parametrize("nonneg", [True, False])
@pytest.mark.parametrize("label", MAPS)
def test_advancing_is_stepping_whatever_computes_it(rng, torch32, label, nonneg, frame):
    """A fused kernel, where there is one, is a second implementation of `step`."""
    shape, grid = frame
    x = rng.random((3, *shape)) * (rng.random((3, *shape)) < 0.5)
    block = box_block(measure(x, grid=grid), torch32, real=True, nonnegative=nonneg)
    solver = prepared(with_nonneg(label, nonneg), torch32)
    begin = block.project_magnitude(torch32.asarray(rng.random((3, *grid))))
    kept = torch32.to_numpy(begin).copy()
    stepped = begin
    for _ in range(4):
        stepped = solver.step(stepped, block)
    advanced = solver.advance(solver.begin(begin, block), block, 4)
    scale = float(abs(torch32.to_numpy(stepped)).max())
    np.testing.assert_allclose(torch32.to_numpy(advanced[0]), torch32.to_numpy(stepped), atol=2e-4 * scale)
    np.testing.assert_allclose(
        torch32.to_numpy(solver.estimate(advanced, block)),
        torch32.to_numpy(solver.solution(stepped, block)),
        atol=4e-4 * scale,
    )
    np.testing.assert_array_equal(torch32.to_numpy(begin), kept)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda x: x[:1, :3], r"of shape \(2, 8, 9\), and gave an array of shape \(1, 3, 9\)"),
        (lambda x: 3, r"of shape \(2, 8, 9\), and gave 3"),
        (lambda x: x.double(), "in torch.float32, and gave some in torch.float64"),
    ],
)
def test_a_step_that_gives_something_else_than_images_is_told_what(rng, torch32, given, words):
    class Odd(ProjectionSolver):
        name = "odd"
        summary = "gives something else"

        def step(self, x, block):
            return given(x)

    solver = Odd()
    solver.prepare(torch32)
    with pytest.raises(ValueError, match=f"step takes images {words}"):
        solver.solve(measure(rng.random((2, *SHAPE)), grid=(8, 9)), Streams(0))
