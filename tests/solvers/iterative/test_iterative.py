"""The loop around all iterative solvers: an image's result is its own, and the truth has no part in it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import oracles
import pytest
from doubles import Exploding, Still

from bench.score.metrics import adjusted_mse
from datasets import Measurement, measure, place, placements
from solvers import Backend, Status, Streams, compiled, create
from solvers.alm.solver import AugmentedLagrangian
from solvers.errors import ParameterError
from solvers.iterative.state import CHECK_EVERY
from solvers.projection.rrr import RelaxedReflectReflect

SOLVERS = ["er", "hio", "raar", "difference_map", "rrr", "alm"]
BACKENDS = {"numpy": Backend("numpy", precision="float64"), "torch": Backend("torch")}


def solve(label, measurement, backend=BACKENDS["torch"], streams=Streams(), observer=None):  # noqa: B008
    solver = create(label) if isinstance(label, str) else label
    solver.prepare(backend)
    return solver.solve(measurement, streams) if observer is None else solver.solve(measurement, streams, observer)


def assert_same(one, two):
    """Two reconstructions agree in every bit."""
    for field in ("images", "residual", "iterations", "starts", "transforms"):
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field), err_msg=field)
    assert one.status == two.status


def joined(parts):
    return replace(
        parts[0],
        **{
            field: np.concatenate([getattr(part, field) for part in parts])
            for field in ("images", "residual", "iterations", "starts", "transforms")
        },
        status=[status for part in parts for status in part.status],
    )


@pytest.fixture(scope="module")
def paper(tiles) -> Measurement:
    """Eighteen images of the paper's hardest variant: more than one block."""
    indices = np.arange(18)
    return measure(place(tiles[:18], placements("shift_flip", seed=0, split="test", indices=indices)))


# ---- it works


def test_rrr_with_nonnegativity_recovers_fashion_mnist(tiles):
    objects = place(tiles[:8], placements("shift_flip", seed=0, split="test", indices=np.arange(8)))
    found = solve("rrr[nonneg=true,beta=0.5,starts=8]", measure(objects))
    assert (adjusted_mse(objects, found.images) < 1e-2).all()
    assert set(found.status) == {Status.SOLVED}
    assert (found.residual <= 1e-3).all()


def test_a_complex_object_is_recovered_from_its_box(rng):
    x = rng.standard_normal((4, 5, 4)) + 1j * rng.standard_normal((4, 5, 4))
    found = solve("rrr[real=false,starts=8]", measure(x, grid=(12, 11)))
    assert found.images.dtype.kind == "c"
    assert (adjusted_mse(x, found.images) < 1e-2).all()


@pytest.mark.parametrize("parent", [AugmentedLagrangian, RelaxedReflectReflect])
def test_a_solver_made_from_another_one_takes_its_own_steps(paper, parent):
    class Mine(parent):
        name = "mine"
        taken: ClassVar[list[int]] = []

        def step(self, *arguments):
            Mine.taken.append(1)
            return super().step(*arguments)

    solve(Mine(iterations=3), paper[:1])
    assert len(Mine.taken) == 3


# ---- budgets


@pytest.mark.parametrize("asked", [1, 19, 20, 21, 100, 130])
def test_as_many_iterations_are_run_as_were_asked_for(small, asked):
    Still.counts.clear()
    found = solve(Still(iterations=asked, tolerance=0), small[:3])
    assert sum(Still.counts) == asked
    assert found.iterations.tolist() == [asked] * 3
    assert found.starts.tolist() == [1] * 3
    assert found.status == [Status.STOPPED] * 3


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_spends_its_iterations_in_all_its_starts(small, name):
    found = solve(f"{name}[iterations=25,starts=3,tolerance=0]", small[:2])
    assert found.iterations.tolist() == [25 + 50 + 75] * 2, "each start may take longer than the one before"
    assert found.starts.tolist() == [3, 3]


def test_an_image_is_finished_at_the_first_check_within_the_tolerance(paper):
    history: dict[int, list[tuple[int, float]]] = {i: [] for i in range(len(paper))}

    def watch(snapshot):
        for image, age, residual in zip(snapshot.images, snapshot.iterations, snapshot.residual, strict=True):
            history[int(image)].append((int(age), float(residual)))

    found = solve("rrr[nonneg=true,tolerance=0.02,iterations=300]", paper, observer=watch)
    assert Status.SOLVED in found.status
    for i, seen in history.items():
        ages, residuals = zip(*seen, strict=True)
        assert ages == tuple(range(CHECK_EVERY, ages[-1] + 1, CHECK_EVERY))
        assert found.iterations[i] == ages[-1]
        assert all(r > 0.02 for r in residuals[:-1])
        solved = residuals[-1] <= 0.02
        assert found.status[i] == (Status.SOLVED if solved else Status.STOPPED)
        assert solved or ages[-1] == 300
        assert found.residual[i] == min(residuals)


def test_an_image_that_is_solved_takes_no_further_start(small):
    found = solve("rrr[nonneg=true,tolerance=10,starts=5]", small[:3])
    assert found.starts.tolist() == [1, 1, 1]
    assert found.iterations.tolist() == [CHECK_EVERY] * 3


# ---- the choice by residual


@dataclass(frozen=True)
class OnlyStart(Streams):
    """Streams in which the first start is another one."""

    start: int = 0

    def generator(self, index, start=0):
        assert start == 0
        return super().generator(index, self.start)


@pytest.mark.parametrize("name", SOLVERS)
def test_of_several_starts_the_one_with_the_smallest_residual_is_kept(small, name):
    each = [
        solve(f"{name}[tolerance=0,iterations={40 * (s + 1)}]", small, BACKENDS["numpy"], OnlyStart(0, s))
        for s in range(3)
    ]
    found = solve(f"{name}[tolerance=0,iterations=40,starts=3]", small, BACKENDS["numpy"])
    best = np.argmin([r.residual for r in each], axis=0)
    assert len(set(best)) > 1
    np.testing.assert_array_equal(found.residual, [each[b].residual[i] for i, b in enumerate(best)])
    np.testing.assert_array_equal(found.images, [each[b].images[i] for i, b in enumerate(best)])
    assert (found.residual <= each[0].residual).all()


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_the_residual_is_that_of_the_images_given_back(small, rng, backend, name, kind):
    x = rng.random((3, 6, 5)) + (1j * rng.random((3, 6, 5)) if kind == "complex" else 0)
    m = measure(x, grid=(12, 11))
    found = solve(f"{name}[iterations=30]", m, backend)
    assert found.images.shape == (3, 12, 11)
    assert found.images.dtype.kind == ("c" if kind == "complex" else "f")
    np.testing.assert_allclose(found.residual, oracles.residual(found.images, m.intensities), rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_reconstruction_lies_in_the_support_and_is_nonnegative_where_that_is_used(small, name):
    n1, n2 = small.object_shape
    for nonneg in (False, True):
        images = solve(f"{name}[iterations=40,nonneg={str(nonneg).lower()}]", small[:6]).images
        assert (images[:, n1:] == 0).all()
        assert (images[:, :, n2:] == 0).all()
        assert (images < 0).any() != nonneg


# ---- an image's result is its own

# Budgets that are and are not a multiple of the distance of two checks.
LABELS = [
    "rrr[nonneg=true,iterations=50]",
    "hio[nonneg=true,iterations=70,starts=2]",
    "difference_map[nonneg=true,iterations=40,support=shrinkwrap]",
    "raar[nonneg=true,iterations=50,support=shrinkwrap]",
    "alm[nonneg=true,iterations=50]",
    "er[nonneg=true,iterations=30,starts=3]",
]


def staggered(label, measurement):
    """The label with a tolerance that half of the images meet at their first check: waiting ones take their places."""
    first = solve(f"{label.partition('[')[0]}[nonneg=true,iterations={CHECK_EVERY},tolerance=0]", measurement)
    return f"{label[:-1]},tolerance={np.median(first.residual)}]"


def assert_independent(label, measurement, backend, sizes):
    """Batches of any of these sizes give what one batch of all images gives."""
    whole = solve(label, measurement, backend)
    assert len(measurement) > 16
    assert len(set(whole.iterations)) > 1
    for size in sizes:
        parts = [measurement[i : i + size] for i in range(0, len(measurement), size)]
        assert_same(whole, joined([solve(label, part, backend) for part in parts]))


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("label", LABELS)
def test_an_image_alone_gets_the_same_result_as_in_a_batch(small, backend, label):
    assert_independent(staggered(label, small), small, backend, sizes=(1,))


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("label", LABELS[:2])
def test_shards_of_any_size_do_not_matter(small, backend, label):
    assert_independent(staggered(label, small), small, backend, sizes=(2, 5, 7, 16, 23))


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("label", LABELS[:2])
def test_order_does_not_matter(small, rng, backend, label):
    label, order = staggered(label, small), rng.permutation(len(small))
    shuffled, back = solve(label, small[order], backend), np.argsort(order)
    whole = solve(label, small, backend)
    np.testing.assert_array_equal(shuffled.images[back], whole.images)
    np.testing.assert_array_equal(shuffled.residual[back], whole.residual)
    assert [shuffled.status[i] for i in back] == whole.status


@pytest.mark.parametrize(
    "label", ["rrr[nonneg=true,iterations=60]", "rrr[nonneg=true,iterations=30,support=shrinkwrap]"]
)
def test_at_the_papers_size_a_batch_does_not_matter_either(paper, label):
    assert_independent(staggered(label, paper), paper, BACKENDS["torch"], sizes=(6, 1))


def test_nor_does_it_for_alm_at_the_papers_size(paper):
    label = "alm[iterations=20,tolerance=0]"
    whole = solve(label, paper)
    assert_same(whole, joined([solve(label, paper[:1]), solve(label, paper[1:7]), solve(label, paper[7:])]))


def test_nor_does_it_for_complex_objects(rng):
    m = measure(rng.random((18, 6, 5)) + 1j * rng.random((18, 6, 5)), grid=(12, 12))
    whole = solve("hio[iterations=30]", m)
    assert_same(whole, joined([solve("hio[iterations=30]", m[i : i + 1]) for i in range(18)]))


@pytest.mark.parametrize("label", LABELS)
def test_threads_share_the_work_and_change_nothing(small, label):
    label = staggered(label, small)
    assert_same(solve(label, small), solve(label, small, replace(BACKENDS["torch"], threads=3)))


@pytest.mark.parametrize("label", [*LABELS, "hio[iterations=90]", "alm[iterations=70,starts=2]"])
@pytest.mark.parametrize("images", ["small", "paper"])
def test_being_watched_changes_nothing(request, images, label):
    """An observer sees every check; without one, a kernel may go from the start to the end in one call."""
    measurement, snapshots = request.getfixturevalue(images), []
    label = staggered(label, measurement)
    assert_same(solve(label, measurement, observer=snapshots.append), solve(label, measurement))
    seconds = [snapshot.seconds for snapshot in snapshots]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


@pytest.mark.parametrize("exponent", [-90, -1, 3, 60])
@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("images", ["small", "paper"])
def test_the_unit_of_the_intensities_is_that_of_the_images_squared(request, images, label, exponent):
    measurement = request.getfixturevalue(images)[:3]
    one = solve(label, measurement)
    other = solve(label, replace(measurement, intensities=measurement.intensities * 4.0**exponent))
    assert_same(replace(one, images=one.images * np.float32(2.0**exponent)), other)


WAYS = {
    "compiled float32": ("paper", BACKENDS["torch"]),
    "portable float32": ("small", BACKENDS["torch"]),
    "portable float64": ("small", BACKENDS["numpy"]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [*SOLVERS, "rrr[support=shrinkwrap]"])
def test_at_every_scale_an_image_is_the_twin_of_that_at_unit_scale_or_has_diverged(request, way, name):
    images, backend = WAYS[way]
    measurement = request.getfixturevalue(images)[:2]
    if way == "compiled float32" and not compiled.supports(measurement.grid):
        pytest.skip("the compiled kernels were not built")
    label = f"{name[:-1]},iterations=21]" if "[" in name else f"{name}[iterations=21]"
    one = solve(label, measurement, backend)
    limits = np.finfo(one.images.dtype)
    for decimal in range(-285, 286, 19):  # of the intensities
        power = round(decimal * np.log2(10) / 2)
        found = solve(label, replace(measurement, intensities=measurement.intensities * 4.0**power), backend)
        twins = np.ldexp(one.images.astype(np.float64), power)
        largest = abs(twins).max(axis=(1, 2))
        held = (largest >= limits.tiny) & (largest <= limits.max)
        assert [status != Status.DIVERGED for status in found.status] == held.tolist(), decimal
        for i in range(2):
            if held[i]:
                np.testing.assert_allclose(found.images[i], twins[i], rtol=0, atol=limits.eps * largest[i])
                assert found.residual[i] == one.residual[i]
                assert found.status[i] == one.status[i]
            else:
                assert not found.images[i].any()
                assert np.isnan(found.residual[i])


@pytest.mark.parametrize("decimal", [-100, -90, 90])
def test_an_image_that_single_precision_does_not_hold_is_not_solved(paper, decimal):
    label = "rrr[nonneg=true,iterations=200,tolerance=0.5]"
    assert solve(label, paper[:1]).status == [Status.SOLVED]
    found = solve(label, replace(paper[:1], intensities=paper.intensities[:1] * 10.0**decimal))
    assert found.status == [Status.DIVERGED]
    assert not found.images.any()
    assert np.isnan(found.residual[0])
    double = solve(label, replace(paper[:1], intensities=paper.intensities[:1] * 10.0**decimal), BACKENDS["numpy"])
    assert double.status == [Status.SOLVED]


@pytest.mark.parametrize("brightest", [5e-324, 1e-310, 1e308])
def test_the_ends_of_the_range_of_intensities_do_not_mislead(brightest):
    """One pixel has the same intensity everywhere: its mean overflows in a sum, and its inverse by itself."""
    y = np.full((1, 9, 10), brightest)
    found = solve("er[iterations=20]", Measurement(y, (1, 1), [0]), BACKENDS["numpy"])
    assert found.status == [Status.SOLVED]
    np.testing.assert_allclose(abs(found.images[0, 0, 0]), np.sqrt(brightest), rtol=1e-12)


@pytest.mark.slow
def test_an_observer_takes_no_time_from_the_clock(small):
    seconds = []

    def slow(snapshot):
        seconds.append(snapshot.seconds)
        time.sleep(0.2)

    solve("er[iterations=100,tolerance=0]", small[:2], observer=slow)
    assert len(seconds) == 5
    assert seconds[-1] - seconds[0] < 0.4  # it slept twice as long


class Failing(Still):
    """Fails on its third call, whoever makes it, while the others take their time."""

    name = "failing"

    def advance(self, state, block, count):
        Still.counts.append(count)
        if len(Still.counts) == 3:
            raise ZeroDivisionError("the dial was at eleven")
        time.sleep(0.1)
        return state


def test_an_error_in_one_thread_ends_the_others_and_is_raised(small):
    Still.counts.clear()
    solver = Failing(iterations=20, starts=50, tolerance=0)
    began = time.perf_counter()
    with pytest.raises(ZeroDivisionError):
        solve(solver, small, replace(BACKENDS["torch"], threads=3))
    assert len(Still.counts) <= 6, "blocks that were begun are finished, and no other is begun"
    assert time.perf_counter() - began < 30


def test_seeds_and_images_start_from_different_points(small):
    same = Measurement(np.repeat(small.intensities[:1], 2, axis=0), small.object_shape, np.array([0, 1]))
    found = solve("er[iterations=1]", same)
    assert not np.array_equal(found.images[0], found.images[1])
    again = solve("er[iterations=1]", same)
    other = solve("er[iterations=1]", same, streams=Streams(1))
    np.testing.assert_array_equal(again.images, found.images)
    assert not np.array_equal(other.images, found.images)


def test_streams_are_keyed_by_seed_image_and_start():
    keys = [(seed, index, start) for seed in (0, 1) for index in (0, 1) for start in (0, 1)]
    draws = {key: Streams(key[0]).generator(*key[1:]).random() for key in keys}
    assert len(set(draws.values())) == len(keys)
    assert draws[1, 0, 1] == Streams(1).generator(0, 1).random()


# ---- what cannot be solved


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_an_image_that_cannot_be_measured_is_left_out_and_the_others_are_not_touched(small, backend, name):
    y = small.intensities[:6].copy()
    y[1, :, :8] = np.nan
    y[2] = 0
    y[4, 0, 1] = -1
    y[5, 2, 2] = np.inf
    label = f"{name}[nonneg=true,iterations=40]"
    found = solve(label, replace(small[:6], intensities=y), backend)
    clean = solve(label, small[:6], backend)
    for i in (1, 2, 4, 5):
        assert found.status[i] == Status.INVALID
        assert (found.images[i] == 0).all()
        assert np.isnan(found.residual[i])
        assert found.iterations[i] == found.starts[i] == found.transforms[i] == 0
    for i in (0, 3):
        np.testing.assert_array_equal(found.images[i], clean.images[i])
        assert found.status[i] == clean.status[i]


def test_a_batch_of_nothing_has_a_reconstruction(small):
    found = solve("rrr", small[:0])
    assert found.images.shape == (0, *small.grid)
    dark = solve("rrr", replace(small[:2], intensities=0 * small.intensities[:2]))
    assert dark.status == [Status.INVALID] * 2


@pytest.mark.parametrize("name", SOLVERS)
def test_an_image_too_bright_for_the_precision_is_lost_without_harm_to_the_others(paper, name):
    y = paper.intensities[:4].copy()
    y[1] *= 1e90
    label = f"{name}[nonneg=true,iterations=50,starts=2]"
    found, clean = solve(label, replace(paper[:4], intensities=y)), solve(label, paper[:4])
    assert found.status[1] == Status.DIVERGED
    assert (found.images[1] == 0).all()
    assert np.isnan(found.residual[1])
    for i in (0, 2, 3):
        np.testing.assert_array_equal(found.images[i], clean.images[i])
        assert found.residual[i] == clean.residual[i]


def test_an_iterate_that_is_no_longer_finite_has_diverged(small):
    found = solve(Exploding(iterations=100, starts=2), small[:3])
    assert found.status == [Status.DIVERGED] * 3
    assert (found.images == 0).all()
    assert np.isnan(found.residual).all()
    assert found.starts.tolist() == [2, 2, 2]
    assert found.iterations.tolist() == [2 * CHECK_EVERY] * 3


@pytest.mark.parametrize("name", SOLVERS)
def test_nonnegativity_is_not_used_where_it_does_not_hold(rng, name):
    """Whatever becomes of the others, an object with negative pixels, or one that is NaN, is left out."""
    x = rng.random((4, 3, 3))
    clean = solve(f"{name}[nonneg=true,iterations=40]", measure(x, grid=(6, 6)))
    x[0, 1, 1] = -1e-17
    x[1, 1, 1] = -1
    x[2, 1, 1] = np.nan
    found = solve(f"{name}[nonneg=true,iterations=40]", measure(x, grid=(6, 6)))
    assert [status == Status.INVALID for status in found.status] == [False, True, True, False]
    assert (found.images[1:3] == 0).all()
    assert np.isnan(found.residual[1:3]).all()
    assert found.starts.tolist() == [1, 0, 0, 1]
    np.testing.assert_array_equal(found.images[3], clean.images[3])
    unaware = solve(f"{name}[iterations=40]", measure(x, grid=(6, 6)))
    assert [status == Status.INVALID for status in unaware.status] == [False, False, True, False]


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_nobody_uses_of_complex_objects_that_they_are_real(rng, kind):
    x = rng.random((2, 3, 3)) - (0.5 if kind == "real" else 0.5j)
    m = measure(x, grid=(6, 6))
    for label in ("rrr", "hio[real=false]", "alm[nonneg=true]", "er[support=shrinkwrap]"):
        declared = create(label).information()
        used = declared.on(m)
        assert used.real == (declared.real and kind == "real")
        assert not used.nonnegative, "of no object is it known"
        assert used.support == declared.support
    assert str(create("rrr").information().on(m)) == ("support: box, real" if kind == "real" else "support: box")
    assert create("rrr[nonneg=true]").information().on(measure(abs(x), grid=(6, 6))).nonnegative


def test_a_complex_object_is_not_asked_to_be_nonnegative(rng):
    with pytest.raises(ParameterError, match="complex objects, which cannot be nonnegative"):
        solve("rrr[nonneg=true]", measure(rng.standard_normal((1, 3, 3)) * 1j, grid=(6, 6)))


def test_a_solver_must_be_prepared(small):
    with pytest.raises(RuntimeError, match="prepare"):
        create("rrr").solve(small, Streams())


def test_preparing_leaves_the_threads_of_torch_as_they_were(small):
    import torch

    before = torch.get_num_threads()
    solve("er[iterations=1]", small[:1])
    assert torch.get_num_threads() == before
