"""A kernel answers for the code that it was made from, and for no other."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from datasets import Measurement, measure
from solvers import Backend, ProjectionSolver, Status, Streams, compiled
from solvers.alm import AugmentedLagrangian
from solvers.difference_map import DifferenceMap
from solvers.er import ErrorReduction
from solvers.hio import HybridInputOutput
from solvers.kernels import ITERATION
from solvers.raar import RelaxedAveragedAlternatingReflections
from solvers.rrr import RelaxedReflectReflect

pytestmark = pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")

MAPS = [
    ErrorReduction,
    HybridInputOutput,
    RelaxedAveragedAlternatingReflections,
    DifferenceMap,
    RelaxedReflectReflect,
]
METHODS = [(kind, method) for kind in MAPS for method in (*ITERATION, "step", "solution")] + [
    (AugmentedLagrangian, method) for method in (*ITERATION, "step", "lagrangian", "penalised", "update_multipliers")
]


@pytest.fixture(scope="module")
def seen() -> Measurement:
    """Three objects on a grid that the compiled kernels transform."""
    return measure(np.random.default_rng(2).random((3, 6, 5)), grid=(16, 15))


def solve(solver, measurement, backend=Backend("torch")):  # noqa: B008
    solver.prepare(backend)
    return solver.solve(measurement, Streams(0))


@pytest.mark.parametrize(("kind", "method"), METHODS, ids=lambda x: x if isinstance(x, str) else x.__name__)
def test_whatever_a_solver_overrides_is_what_runs(seen, caplog, kind, method):
    calls = []

    def own(self, *arguments):
        calls.append(method)
        return getattr(kind, method)(self, *arguments)

    mine = type("Mine", (kind,), {method: own})(iterations=21, tolerance=0)
    found = solve(mine, seen)
    assert calls
    assert found.kernel == "portable"
    assert caplog.messages == [
        f"Mine overrides {method} of {kind.__name__}: its iterations run the portable code, "
        "which is slower than the kernel"
    ]
    solve(mine, seen)
    assert len(caplog.messages) == 1, "it is said once"


@pytest.mark.parametrize("kind", MAPS)
def test_a_map_that_forgets_everything_recovers_nothing(seen, kind):
    class Forgetful(kind):  # under the name of its parent
        def step(self, x, block):
            return x * 0

        def solution(self, x, block):
            return x

    found = solve(Forgetful(iterations=20), seen)
    assert not found.images.any()
    np.testing.assert_allclose(found.residual, 1, rtol=1e-6)
    assert found.status == [Status.STOPPED] * 3


@pytest.mark.parametrize("kind", [*MAPS, AugmentedLagrangian])
def test_another_name_or_another_default_is_no_other_method(seen, caplog, kind):
    class Renamed(kind):
        name = "renamed"
        iterations: int = 21

    one, other = solve(Renamed(), seen), solve(kind(iterations=21), seen)
    assert one.kernel == other.kernel == "compiled"
    np.testing.assert_array_equal(one.images, other.images)
    assert not caplog.messages


def test_a_method_changed_after_the_fact_is_not_replaced_either(seen, monkeypatch):
    monkeypatch.setattr(RelaxedReflectReflect, "step", lambda self, x, block: x * 0)
    found = solve(RelaxedReflectReflect(iterations=20), seen)
    assert found.kernel == "portable"
    assert not found.images.any()


def test_a_map_of_its_own_runs_its_own_code(seen, caplog):
    class Mine(ProjectionSolver):
        name = "er"  # which another solver has

        def step(self, x, block):
            return 0.5 * block.project_object(x)

    found = solve(Mine(iterations=25), seen)
    assert found.kernel == "portable"
    assert not caplog.messages, "nothing is replaced that somebody might expect"


@pytest.mark.parametrize(
    ("solver", "backend"),
    [
        (ErrorReduction(iterations=5), Backend("numpy")),
        (ErrorReduction(iterations=5), Backend("torch", precision="float64")),
        (ErrorReduction(iterations=5, real=False), Backend("torch")),
        (ErrorReduction(iterations=5, support="shrinkwrap"), Backend("torch")),
        (AugmentedLagrangian(iterations=5, support="shrinkwrap"), Backend("torch")),
        (AugmentedLagrangian(iterations=5), Backend("numpy")),
        (DifferenceMap(iterations=5, beta=0.8), Backend("torch")),
    ],
)
def test_what_the_kernels_do_not_know_is_portable_and_no_surprise(seen, caplog, solver, backend):
    caplog.set_level(logging.WARNING)
    assert solve(solver, seen, backend).kernel == "portable"
    assert not caplog.messages


def test_where_nothing_is_iterated_nothing_did_it(seen):
    dark = replace(seen, intensities=0 * seen.intensities)
    assert solve(RelaxedReflectReflect(), dark).kernel == ""
    assert solve(RelaxedReflectReflect(), seen[:0]).kernel == ""
