"""Supports: a given mask, one that is estimated, the largest pixels, and phases in a range. Each against an oracle."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import Measurement, measure
from datasets.problem import Problem
from solvers import Backend, ParameterError, Streams, compiled, create
from solvers.iterative.block import Block
from solvers.iterative.largest import largest
from solvers.iterative.phases import in_phase, nearest_phase
from solvers.iterative.state import CHECK_EVERY
from solvers.registry import canonical

FLOAT64 = Backend("numpy", precision="float64")
FLOAT32 = Backend("torch")
xp = FLOAT64.xp
SOLVERS = ["er", "hio", "raar", "difference_map", "rrr", "alm"]


def solve(label, measurement, backend=FLOAT32):
    solver = create(label)
    solver.prepare(backend)
    return solver.solve(measurement, Streams())


def images(rng, count, grid, kind):
    x = rng.standard_normal((count, *grid))
    return x + 1j * rng.standard_normal((count, *grid)) if kind == "complex" else x


# ---- a mask of the object


def l_shape(n1=8, n2=6):
    """A support that no box is."""
    support = np.zeros((n1, n2), dtype=bool)
    support[:, :2] = support[-2:] = True
    return support


@pytest.mark.parametrize("backend", [FLOAT64, FLOAT32], ids=["portable", "kernels"])
@pytest.mark.parametrize("name", SOLVERS)
def test_a_reconstruction_is_zero_outside_the_given_mask(rng, name, backend):
    support = np.stack([l_shape(), l_shape()[::-1], np.ones((8, 6), dtype=bool)])
    m = measure(rng.random((3, 8, 6)) * support, grid=(16, 12), support=support)
    found = solve(f"{name}[iterations=40,tolerance=0]", m, backend)
    outside = ~oracles.embed(support, m.grid)
    assert (found.images[outside] == 0).all()
    assert (found.images != 0).any(axis=(1, 2)).all()
    expected = oracles.residual(found.images, m.intensities)
    np.testing.assert_allclose(found.residual, expected, rtol=1e-4, atol=1e-7)  # of coefficients in float32


@pytest.mark.parametrize("backend", [FLOAT64, FLOAT32], ids=["portable", "kernels"])
@pytest.mark.parametrize("name", SOLVERS)
def test_a_mask_of_the_whole_box_is_the_box(small, name, backend):
    whole = np.ones((len(small), *small.object_shape), dtype=bool)
    label = f"{name}[iterations=25]"
    one, other = solve(label, small, backend), solve(label, replace(small, support=whole), backend)
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(one.residual, other.residual)


def test_a_mask_tells_an_object_from_its_flip(rng):
    """The box fits both of them; a mask of another outline fits one."""
    support = l_shape(10, 9)
    x = rng.random((6, 10, 9)) * support
    found = solve("rrr[nonneg=true,starts=5]", measure(x, grid=(24, 20), support=support))
    np.testing.assert_allclose(found.images[:, :10, :9], x, atol=0.05)


def test_one_mask_is_for_all_images_and_follows_them(rng):
    each = rng.random((4, 8, 6)) < 0.5
    m = measure(rng.random((4, 8, 6)), grid=(16, 12), support=each)
    assert (m[np.array([3, 1])].support == each[[3, 1]]).all()
    common = measure(rng.random((4, 8, 6)), grid=(16, 12), support=each[0])
    assert (common.support == each[0]).all()
    assert common.support.shape == (4, 8, 6)


def test_a_mask_is_part_of_a_measurements_name(rng):
    m = measure(rng.random((1, 8, 6)), grid=(16, 12))
    digests = {
        replace(m, support=support).digest() for support in (None, l_shape(), l_shape()[::-1], np.ones((8, 6), bool))
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("support", "message"),
    [
        (np.ones((6, 8), dtype=bool), r"support must be true or false in the shape \(2, 8, 6\) or \(8, 6\)"),
        (np.ones((3, 8, 6), dtype=bool), "support must be true or false"),
        (np.ones((8, 6)), "support must be true or false in the shape .*, got float64"),
        (np.zeros((8, 6), dtype=bool), "a support is empty"),
        (np.arange(96).reshape(2, 8, 6) < 48, "a support is empty"),
    ],
)
def test_a_mask_that_is_none_is_refused(support, message):
    with pytest.raises(ValueError, match=message):
        Measurement(np.ones((2, 16, 12)), (8, 6), np.arange(2), support=support)


def test_a_small_mask_in_a_large_frame_is_determined_by_the_intensities(recwarn):
    support = np.zeros((16, 12), dtype=bool)
    support[3:11, 5:11] = True
    intensities = np.ones((1, 16, 12))
    Measurement(intensities, (16, 12), [0], support=support)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="do not determine"):
        Measurement(intensities, (16, 12), [0])


def test_information_says_that_a_mask_was_given(rng):
    m = measure(rng.random((1, 8, 6)), grid=(16, 12), support=l_shape())
    uses = lambda label: create(label).information().on(m).support  # noqa: E731
    assert uses("rrr") == "mask"
    assert uses("rrr[support=shrinkwrap]") == "shrinkwrap in a mask"
    assert uses('rrr[support="largest[pixels=9]"]') == "largest[pixels=9] in a mask"
    assert create("rrr").information().on(replace(m, support=None)).support == "box"


# ---- shrink-wrap


def test_the_defaults_of_shrink_wrap_are_the_papers(small):
    spelled_out = 'rrr[support="shrinkwrap[sigma=3:1.5,decay=0.99,threshold=0.2,every=20,start=0]"]'
    assert canonical(spelled_out) == "rrr[support=shrinkwrap]"
    assert canonical('rrr[support="shrinkwrap[finish=none]"]') == "rrr[support=shrinkwrap]"


def test_the_end_of_a_start_has_one_spelling():
    found = canonical('rrr[support="shrinkwrap[finish=0.50:.050,sigma=3:1]"]')
    assert found == 'rrr[support="shrinkwrap[sigma=3:1,finish=0.5:0.05]"]'
    assert canonical(found) == found


@pytest.mark.parametrize(
    "finish", ["0.4", "2:0.1", "0.4:0.3", "0:0.1", "0.4:0", "nan:0.1", "0.4:nan", "a:b", "1:0.1:0.1"]
)
def test_an_end_that_is_none_is_refused(finish):
    with pytest.raises(ParameterError, match=r"neither above the one before, as 0.4:0.03") as error:
        create(f'rrr[support="shrinkwrap[finish={finish}]"]')
    assert "\n" not in str(error.value)


def test_a_wrong_threshold_is_named_also_where_there_is_an_end():
    with pytest.raises(ParameterError, match="threshold = 7"):
        create('rrr[support="shrinkwrap[threshold=7,finish=0.4:0.03]"]')


@pytest.mark.parametrize(("every", "start", "first"), [(20, 0, 20), (20, 20, 20), (20, 21, 40), (50, 120, 150)])
def test_the_first_update_is_the_first_multiple_that_is_late_enough(every, start, first):
    support = create(f'er[support="shrinkwrap[every={every},start={start}]"]').support
    assert support.first == first


@pytest.mark.parametrize("name", ["er", "raar"])
def test_before_the_first_update_the_support_is_the_box(small, name):
    late = solve(f'{name}[iterations=60,tolerance=0,support="shrinkwrap[start=61]"]', small, FLOAT64)
    box = solve(f"{name}[iterations=60,tolerance=0]", small, FLOAT64)
    np.testing.assert_array_equal(late.images, box.images)
    soon = solve(f'{name}[iterations=60,tolerance=0,support="shrinkwrap[start=20,threshold=0.9]"]', small, FLOAT64)
    assert not np.array_equal(soon.images, box.images)


def test_the_residual_is_looked_at_where_the_support_is_estimated(small):
    seen = []
    solver = create('er[iterations=100,tolerance=0,support="shrinkwrap[every=30]"]')
    solver.prepare(FLOAT32)
    found = solver.solve(small[:1], Streams(), lambda snapshot: seen.append(int(snapshot.iterations[0])))
    assert seen == [30, 60, 90, 100]
    assert found.transforms.tolist() == [2 * 100 + 3 * 4]


def test_a_higher_threshold_leaves_a_smaller_support(tiles):
    m = measure(tiles[:3], grid=(64, 64))
    areas = [
        (solve(f'hio[iterations=100,tolerance=0,support="shrinkwrap[threshold={t}]"]', m).images != 0).sum()
        for t in (0.05, 0.3)
    ]
    assert areas[0] > areas[1] > 0


@pytest.mark.parametrize("keep", ["best", "last"])
def test_of_a_start_the_best_or_the_last_estimate_is_kept(tiles, keep):
    """A noisy pattern is fitted best while the support is still large."""
    seen = []
    solver = create(f'er[iterations=200,tolerance=0,support="shrinkwrap[sigma=3:1,decay=0.8,keep={keep}]"]')
    solver.prepare(FLOAT32)
    noisy = measure(tiles[:1], grid=(64, 64), photons=1e4)
    found = solver.solve(noisy, Streams(), lambda snapshot: seen.append(float(snapshot.residual[0])))
    assert min(seen) < seen[-1]
    assert found.residual[0] == (min(seen) if keep == "best" else seen[-1])


# ---- the largest pixels


def by_trying_all(x, support, pixels, nonneg):
    """The nearest image with at most so many pixels, among all choices of them."""
    best, distance = None, np.inf
    for chosen in combinations(np.flatnonzero(support), min(pixels, int(support.sum()))):
        y = np.zeros(x.size, dtype=x.dtype)
        y[list(chosen)] = np.maximum(x.ravel()[list(chosen)], 0) if nonneg else x.ravel()[list(chosen)]
        if np.linalg.norm(y - x.ravel()) < distance - 1e-12:
            best, distance = y.reshape(x.shape), np.linalg.norm(y - x.ravel())
    return best


@given(
    seed=st.integers(0, 2**16),
    pixels=st.integers(1, 12),
    kind=st.sampled_from(["real", "nonnegative", "complex"]),
    ties=st.booleans(),
)
def test_the_largest_pixels_are_the_nearest_image_with_so_many(seed, pixels, kind, ties):
    rng = np.random.default_rng(seed)
    x = images(rng, 1, (3, 4), kind)
    x = np.round(x) if ties else x
    support = rng.random((1, 3, 4)) < 0.8
    block = Block(FLOAT64, np.ones((1, 3, 4)), support, kind != "complex", kind == "nonnegative", pixels=pixels)
    found = block.project_object(x)[0]
    expected = by_trying_all(x[0], support[0], pixels, kind == "nonnegative")
    np.testing.assert_allclose(np.linalg.norm(found - x[0]), np.linalg.norm(expected - x[0]), atol=1e-12)
    assert (found != 0).sum() <= pixels
    assert (found[~support[0]] == 0).all()
    if not ties:
        np.testing.assert_array_equal(found, expected)


def test_of_equal_pixels_the_first_are_kept():
    x = np.array([[[1.0, -2, 1], [1, 1, 2]]])
    everywhere = np.ones(x.shape, dtype=bool)
    kept = largest(xp, x, everywhere, 3, nonnegative=False)
    assert kept[0].tolist() == [[True, True, False], [False, False, True]]
    kept = largest(xp, x, everywhere, 3, nonnegative=True)
    assert kept[0].tolist() == [[True, False, True], [False, False, True]]


@pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")
@pytest.mark.parametrize("kind", ["real", "nonnegative", "complex"])
@pytest.mark.parametrize("pixels", [1, 37, 100_000])
@pytest.mark.parametrize("name", compiled.MAPS)
def test_the_kernels_choose_the_same_pixels(rng, name, pixels, kind):
    grid = (18, 21)
    exact = Block(
        FLOAT64,
        np.abs(np.fft.fft2(images(rng, 3, grid, kind)))[:, :, : 11 if kind != "complex" else None],
        rng.random((3, *grid)) < 0.7,
        kind != "complex",
        kind == "nonnegative",
        pixels=pixels,
    )
    fast = replace(
        exact, backend=FLOAT32, magnitude=FLOAT32.asarray(exact.magnitude), support=FLOAT32.asarray(exact.support)
    )
    assert fast.constraints is not None
    solver, x = create(name), images(rng, 3, grid, kind)
    expected = solver.solution(solver.step(x, exact), exact)
    (stepped,) = solver.advance((FLOAT32.asarray(x),), fast, 1)
    np.testing.assert_allclose(stepped.numpy(), solver.step(x, exact), atol=1e-4)
    _, found, _ = solver.advance_and_check((FLOAT32.asarray(x),), fast, 1)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


@pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")
def test_of_equal_pixels_the_kernels_keep_the_first():
    flat = np.ones((1, 10, 18), dtype=np.float32)
    magnitude = np.abs(np.fft.rfft2(flat))
    block = Block(FLOAT32, FLOAT32.asarray(magnitude), FLOAT32.asarray(flat > 0), True, False, pixels=25)
    _, found, _ = create("rrr[beta=1e-30]").advance_and_check((FLOAT32.asarray(flat),), block, 1)
    assert found.numpy().ravel().tolist() == [1.0] * 25 + [0.0] * 155


@pytest.mark.parametrize("name", SOLVERS)
def test_a_reconstruction_has_as_many_pixels_as_were_asked_for(small, name):
    found = solve(f'{name}[support="largest[pixels=17]",iterations=45,tolerance=0]', small[:5])
    assert ((found.images != 0).sum(axis=(1, 2)) <= 17).all()
    np.testing.assert_allclose(found.residual, oracles.residual(found.images, small.intensities[:5]), rtol=1e-4)
    assert found.kernel == ("portable" if name == "alm" or not compiled.kernels() else "compiled")


def test_sparse_images_anywhere_on_the_grid_are_recovered(rng):
    x = np.zeros((4, 24, 24))
    for image in x:
        image.flat[rng.choice(576, 30, replace=False)] = 1 + rng.random(30)
    with pytest.warns(UserWarning, match="do not determine"):
        m = measure(x, grid=(24, 24))
    found = solve('rrr[nonneg=true,beta=0.5,support="largest[pixels=30]",iterations=3000]', m)
    assert (found.residual < 1e-2).all()


# ---- phases in a range


@given(st.floats(-4, 4), st.floats(0.05, 6.2), st.integers(0, 2**16))
def test_no_number_in_the_sector_is_nearer(first, width, seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(30) + 1j * rng.standard_normal(30)
    found = nearest_phase(xp, z, first, first + width)
    assert in_phase(xp, found, first - 1e-6, first + width + 1e-6).all()
    sector = np.multiply.outer(np.linspace(0, 4, 200), np.exp(1j * np.linspace(first, first + width, 400))).ravel()
    nearest = np.abs(z[:, None] - sector[None, :]).min(axis=1)
    assert (np.abs(z - found) <= nearest + 1e-12).all()
    np.testing.assert_allclose(nearest_phase(xp, found, first, first + width), found, atol=1e-12)


def test_what_lies_in_the_sector_stays_as_it_is(rng):
    z = rng.random(50) * np.exp(1j * rng.uniform(-0.5, 1, 50))
    np.testing.assert_array_equal(nearest_phase(xp, z, -0.5, 1.0), z)
    assert in_phase(xp, z, -0.5, 1.0).all()


@pytest.mark.parametrize("name", SOLVERS)
def test_the_phases_of_a_reconstruction_lie_in_the_range(rng, name):
    x = rng.random((3, 6, 5)) * np.exp(1j * rng.uniform(0, 1, (3, 6, 5)))
    found = solve(f"{name}[phase_min=0,phase_max=1,iterations=40]", measure(x, grid=(16, 15)))
    assert found.kernel == "portable"
    bright = np.abs(found.images) > 1e-3
    assert bright.any()
    angles = np.angle(found.images[bright])
    assert angles.min() > -1e-3
    assert angles.max() < 1 + 1e-3


def test_as_many_pixels_as_an_object_has_are_refused():
    for pixels, refused in ((41, False), (42, True), (43, True)):
        reason = create(f'er[support="largest[pixels={pixels}]"]').refusal(Problem(frame=(6, 7), grid=(14, 15)))
        assert bool(reason) is refused
    assert "an object of 6x7 has 42 pixels" in reason


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("er[phase_min=0]", "give both phase_min and phase_max"),
        ("er[phase_min=1,phase_max=1]", "phase_max must lie above phase_min"),
        ("er[phase_min=0,phase_max=7]", "by less than 2π"),
        ("er[nonneg=true,phase_min=0,phase_max=1]", "nonneg=true leaves no phases"),
        ("er[support=largest]", "give 'largest' a number"),
        ('er[support="largest[pixels=0]"]', "pixels = 0"),
        ('er[support="shrinkwrap[sigma=1:3]"]', "write the first and the last σ in pixels, as 3:1"),
        ('er[support="shrinkwrap[sigma=wide]"]', "sigma = wide"),
        (
            'er[support="shrinkwrap[width=3]"]',
            "no parameter 'width': choose from sigma, decay, thr",
        ),
        ("er[support=disc]", "unknown support 'disc': choose from box, shrinkwrap, largest"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(label, message):
    with pytest.raises(ParameterError, match=message.replace("[", r"\[")) as error:
        create(label)
    assert "\n" not in str(error.value)


def test_real_objects_have_no_range_of_phases(small):
    with pytest.raises(ParameterError, match="real objects have none"):
        solve("er[phase_min=0,phase_max=1]", small)


@pytest.mark.parametrize(
    "label", ['er[support="shrinkwrap[sigma=3:1,every=40]"]', 'rrr[support="largest[pixels=800]"]']
)
def test_a_label_with_a_support_is_read_as_it_is_written(label):
    assert canonical(label) == label
    assert create(label).look_every == (40 if "shrinkwrap" in label else CHECK_EVERY)
