"""A schedule of maps: read as it is written, and done as it is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import measure
from solvers import Backend, ParameterError, Streams, compiled, create
from solvers.iterative.block import box_block
from solvers.projection.cycle import MAPS
from solvers.projection.schedule import LONGEST, Repeat, Stage, read_schedule
from solvers.registry import canonical

BACKENDS = {"portable": Backend("numpy", precision="float64"), "kernels": Backend("torch")}


def solve(label, measurement, backend=BACKENDS["kernels"], observer=None):
    solver = create(label)
    solver.prepare(backend)
    return solver.solve(measurement, Streams(), observer)


def assert_same(one, other):
    for field in ("images", "residual", "iterations", "starts", "transforms"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)
    assert one.status == other.status
    assert one.kernel == other.kernel


# ---- how it is written


def stages(text):
    return [(stage.map, stage.iterations) for stage in read_schedule(text).stages()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("er:5", [("er", 5)]),
        ("er:5+hio:7", [("er", 5), ("hio", 7)]),
        ("2*er:5", [("er", 5)] * 2),
        ("2*(er:5+hio:7)+raar:1", [("er", 5), ("hio", 7)] * 2 + [("raar", 1)]),
        ("2*(er:1+2*(hio:2+rrr:3))", ([("er", 1)] + [("hio", 2), ("rrr", 3)] * 2) * 2),
        ("(er:1+hio:2)+er:3", [("er", 1), ("hio", 2), ("er", 3)]),
        (" 2 * ( hio[beta=0.8] : 7 + er:1 ) ", [("hio[beta=0.8]", 7), ("er", 1)] * 2),
    ],
)
def test_a_schedule_is_its_stages_in_order(text, expected):
    assert stages(text) == expected
    assert read_schedule(text).length == sum(count for _, count in expected)


STAGES = st.builds(Stage, st.sampled_from(["er", "hio[beta=0.8]", "rrr"]), st.integers(1, 30))
TERMS = st.recursive(
    STAGES, lambda inner: st.builds(Repeat, st.integers(1, 4), st.lists(inner, min_size=1, max_size=3).map(tuple))
)


@given(st.lists(TERMS, min_size=1, max_size=3))
def test_a_schedule_that_is_written_down_is_read_as_it_was(terms):
    schedule = Repeat(1, tuple(terms))
    if schedule.length <= LONGEST:
        again = read_schedule(str(schedule))
        assert list(again.stages()) == list(schedule.stages())
        assert str(read_schedule(str(again))) == str(again)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the name of a map at character 1, found the end"),
        ("er", "expected : and iterations after 'er' at character 3, found the end"),
        ("er:", "expected how many iterations of 'er' at character 4"),
        ("er:0", "'er' needs at least 1 iteration at character 4, found '0'"),
        ("er:5+", "expected the name of a map at character 6, found the end"),
        ("er:5 hio:3", "expected + or the end at character 6, found 'hio:3'"),
        ("3*(er:20+hio:180", "expected + or ) at character 17, found the end"),
        ("3(er:20)", "expected * after a count at character 2, found '(er:20)'"),
        ("0*er:1", "a count must be at least 1"),
        ("er:5)", "expected + or the end at character 5, found ')'"),
        ("(" * 30 + "er:1", "too many brackets"),
        ("1000*1000*er:2", "expected the name of a map at character 6"),
        ("1000*(2000*er:1)", "a schedule of 2000000 iterations is too long"),
        ("9999999*(9999999*(9999999*er:1))", "a schedule of 999999700000029999999 iterations is too long"),
        ("disc:3", "unknown map 'disc': choose from er, hio, raar, difference_map, rrr"),
        ("er[beta=1]:3", "'er' takes nothing in a schedule, not 'beta'"),
        ("hio[nonneg=true]:3", "'hio' takes beta in a schedule, not 'nonneg'"),
        ("rrr[relax=1]:3", "'rrr' takes beta in a schedule, not 'relax'"),
        ("hio[beta=7]:3", "beta = 7: takes a number above 0 and at most 2"),
    ],
)
def test_what_is_no_schedule_is_refused_in_one_line_with_the_place(text, message):
    with pytest.raises(ParameterError) as error:
        create(f'cycle[schedule="{text}"]')
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ('cycle[schedule=" 3*( er:20 + hio[beta=0.9]:180 ) + er:20"]', "cycle"),
        ('cycle[schedule="1*(er:2)+hio[beta=0.80]:1"]', 'cycle[schedule="er:2+hio[beta=0.8]:1"]'),
        ("cycle[schedule=2*(er:2),iterations=9]", "cycle[iterations=9,schedule=2*er:2]"),
    ],
)
def test_a_schedule_has_one_spelling(label, expected):
    assert canonical(label) == expected


# ---- how it is done


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("support", ["box", "shrinkwrap", '"shrinkwrap[every=15]"', '"largest[pixels=20]"'])
@pytest.mark.parametrize("name", [*MAPS, "difference_map[beta=0.7]", "rrr[beta=1.2]"])
def test_a_cycle_of_one_stage_is_that_solver_bit_for_bit(small, name, support, backend):
    support = support.strip('"')
    options = f'support="{support}",iterations=50,starts=2,nonneg=true,tolerance=0.05'
    alone = f"{name[:-1]},{options}]" if name.endswith("]") else f"{name}[{options}]"
    cycle = f'cycle[schedule="{name}:30",{options}]'
    assert_same(solve(cycle, small, backend), solve(alone, small, backend))


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_the_stages_iterate_one_image(rng, kind):
    x = rng.random((3, 6, 7)) * (np.exp(1j * rng.random((3, 6, 7))) if kind == "complex" else 1)
    m, backend = measure(x, grid=(14, 15)), BACKENDS["portable"]
    block = box_block(m, backend, real=kind == "real", nonnegative=False)
    solver = create("cycle[schedule=2*(er:2+hio:3)+rrr:1]")
    guess = rng.random((3, 14, 15))
    state, expected = solver.begin(guess, block), guess
    for name in [*["er", "er", "hio", "hio", "hio"] * 2, "rrr", "er", "er", "hio"]:
        expected = create(name).step(expected, block)
    for count in (1, 6, 7):
        state = solver.advance(state, block, count)
    np.testing.assert_allclose(state[0], expected, atol=1e-12)


def test_images_of_different_ages_stand_at_different_places_of_the_schedule(rng, numpy64):
    m = measure(rng.random((4, 6, 7)), grid=(14, 15))
    block = box_block(m, numpy64, real=True, nonnegative=False)
    solver, guess = create("cycle[schedule=er:2+hio:3+rrr:2]"), rng.random((4, 14, 15))
    ages = np.array([5, 0, 7, 5])
    (x, age), estimate, residual = solver.advance_and_check((guess, ages), block, 4)
    assert age.tolist() == (ages + 4).tolist()
    for i, old in enumerate(ages):
        one = block.take(np.array([i]))
        (alone, _), image, misfit = solver.advance_and_check((guess[i : i + 1], np.array([old])), one, 4)
        np.testing.assert_array_equal(alone[0], x[i])
        np.testing.assert_array_equal(image[0], estimate[i])
        assert misfit[0] == residual[i]


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_an_image_does_not_notice_its_neighbours(tiles, backend):
    """More images than a block takes: some are in their second start while others are in their first."""
    m = measure(tiles[:18], grid=(56, 60))
    label = "cycle[schedule=er:7+hio:26,starts=2,nonneg=true,tolerance=0.09]"
    together = solve(label, m, backend)
    assert len(set(together.iterations.tolist())) > 1
    for i in (0, 17):
        alone = solve(label, m[i : i + 1], backend)
        np.testing.assert_allclose(alone.images[0], together.images[i], atol=1e-5)
        assert alone.iterations[0] == together.iterations[i]


def test_without_iterations_a_start_goes_through_the_schedule_as_often_as_its_number(small):
    found = solve("cycle[schedule=er:10+hio:15,starts=3,tolerance=0]", small[:2])
    assert found.iterations.tolist() == [25 + 50 + 75] * 2
    cut = solve("cycle[schedule=er:10+hio:15,iterations=33,tolerance=0]", small[:2])
    assert cut.iterations.tolist() == [33, 33]


def test_transforms_are_those_of_the_maps(small):
    pairs = solve('cycle[schedule="er:10+difference_map[beta=0.7]:10",tolerance=0]', small[:1])
    assert pairs.transforms.tolist() == [10 * 2 + 10 * 4 + 3]
    looks = solve("cycle[schedule=er:30+rrr:25,tolerance=0]", small[:1])
    assert looks.transforms.tolist() == [55 * 2 + 3 + 1 + 1], "a look at 20, 40 and 55"


@pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")
def test_the_kernels_do_the_iterations_of_each_stage(small):
    assert solve("cycle[nonneg=true]", small[:2]).kernel == "compiled"
    assert solve("cycle[support=shrinkwrap]", small[:2]).kernel == "compiled"
    assert solve('cycle[schedule="er:5+difference_map[beta=0.5]:5"]', small[:2]).kernel == "compiled+portable"


def test_an_observer_sees_what_is_done(small):
    seen = []
    found = solve("cycle[schedule=er:30+hio:30]", small[:1], observer=lambda s: seen.append(float(s.residual[0])))
    assert len(seen) == 3
    assert min(seen) == found.residual[0]
