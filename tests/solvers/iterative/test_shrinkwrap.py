"""The re-estimated support (Marchesini 2003): where the blurred magnitude exceeds a fifth of its maximum."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

from bench.score.metrics import adjusted_mse
from datasets import measure
from solvers import Backend, Streams, compiled, create
from solvers.iterative.shrinkwrap import DECAY, SIGMA_FIRST, SIGMA_LAST, THRESHOLD, shrinkwrap

xp = Backend("numpy", precision="float64").xp
GRID = (30, 33)


def everywhere(batch):
    return np.ones((batch, *GRID), dtype=bool)


def disc(radius, centre=(12, 14)):
    r = np.arange(GRID[0])[:, None] - centre[0]
    c = np.arange(GRID[1])[None, :] - centre[1]
    return (r**2 + c**2 <= radius**2).astype(float)


def literal_blur(magnitude, sigma):
    """Convolution with a Gaussian that goes around the borders, by matrix products."""

    def matrix(m):
        d = (np.arange(m)[:, None] - np.arange(m)[None, :])[:, :, None] + m * np.arange(-3, 4)
        g = np.exp(-(d**2) / (2 * sigma**2)).sum(-1)
        return g / g.sum(axis=1, keepdims=True)

    return matrix(magnitude.shape[0]) @ magnitude @ matrix(magnitude.shape[1]).T


@pytest.mark.parametrize("updates", [0, 10, 1000])
def test_the_support_is_a_fifth_of_the_blurred_maximum(rng, updates):
    estimate = disc(6) * (0.5 + rng.random(GRID)) * np.exp(2j * np.pi * rng.random(GRID))
    blurred = literal_blur(abs(estimate), max(SIGMA_FIRST * DECAY**updates, SIGMA_LAST))
    level = blurred / blurred.max()
    found = shrinkwrap(xp, estimate[None], everywhere(1), np.array([updates]))[0]
    clear = abs(level - THRESHOLD) > 1e-3
    assert clear.mean() > 0.98
    np.testing.assert_array_equal(found[clear], (level > THRESHOLD)[clear])


def test_the_object_stays_inside_while_the_support_closes_in(rng):
    areas = []
    estimate = disc(5)[None]
    for updates in (0, 5, 20, 60, 200):
        found = shrinkwrap(xp, estimate, everywhere(1), np.array([updates]))
        assert found[estimate > 0].all()
        areas.append(int(found.sum()))
    assert areas == sorted(areas, reverse=True)
    assert areas[0] > areas[-1] > (estimate > 0).sum()
    assert areas[0] < 0.5 * estimate.size


def test_the_support_never_leaves_the_box():
    box = np.zeros((1, *GRID), dtype=bool)
    box[:, :10, :12] = True
    found = shrinkwrap(xp, disc(6, (9, 11))[None], box, np.array([0]))
    assert found.any()
    assert not found[~box].any()


def test_each_image_is_wrapped_by_itself(rng):
    estimates = np.stack([disc(4), 1e-6 * disc(7, (20, 9)), disc(2)])
    updates = np.array([0, 30, 90])
    together = shrinkwrap(xp, estimates, everywhere(3), updates)
    for i in range(3):
        alone = shrinkwrap(xp, estimates[i : i + 1], everywhere(1), updates[i : i + 1])
        np.testing.assert_array_equal(alone[0], together[i])


def test_an_object_across_the_border_keeps_its_support_around_the_border():
    inside = shrinkwrap(xp, disc(4)[None], everywhere(1), np.array([0]))
    across = shrinkwrap(xp, np.roll(disc(4), (-12, -14), (0, 1))[None], everywhere(1), np.array([0]))
    np.testing.assert_array_equal(across, np.roll(inside, (-12, -14), (1, 2)))


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", ["er", "hio", "raar", "difference_map", "rrr", "alm"])
def test_a_reconstruction_with_shrink_wrap_stays_in_the_box(rng, name, precision):
    x = np.zeros((4, 20, 18))
    x[:, 4:10, 6:11] = 0.2 + rng.random((4, 6, 5))
    m = measure(x, grid=(40, 36))
    found = {}
    for support in ("box", "shrinkwrap"):
        solver = create(f"{name}[support={support},iterations=60,tolerance=0]")
        solver.prepare(Backend("torch", precision=precision))
        found[support] = solver.solve(m, Streams())
    wrapped = found["shrinkwrap"]
    assert not np.array_equal(wrapped.images, found["box"].images)
    assert (wrapped.images[:, 20:] == 0).all()
    assert (wrapped.images[:, :, 18:] == 0).all()
    np.testing.assert_allclose(wrapped.residual, oracles.residual(wrapped.images, m.intensities), rtol=1e-4)


def test_it_tells_that_it_used_the_box_and_its_own_estimate():
    assert create("hio[support=shrinkwrap]").information().support == "shrinkwrap"


# ---- the end of a start


def test_at_the_end_of_a_start_the_blur_and_the_threshold_go_on(rng):
    """From 0.4 to 0.8 of a start, by equal factors in equal times; each image at its own progress."""
    estimates = disc(6) * (0.1 + rng.random((5, *GRID))) * np.exp(2j * np.pi * rng.random((5, *GRID)))
    updates, progress = np.array([0, 9, 9, 30, 70]), np.array([0.1, 0.4, 0.55, 0.8, 1])
    options = {"sigma": (4, 2), "decay": 0.9, "threshold": 0.3}
    found = shrinkwrap(xp, estimates, everywhere(5), updates, **options, finish=(1, 0.06), progress=progress)
    for i, done in enumerate([0, 0, 0.375, 1, 1]):
        sigma = max(4 * 0.9 ** updates[i], 2) * 0.5**done
        blurred = literal_blur(abs(estimates[i]), sigma)
        threshold = 0.3 * 0.2**done
        clear = abs(blurred / blurred.max() - threshold) > 1e-3
        assert clear.mean() > 0.98
        np.testing.assert_array_equal(found[i][clear], (blurred > threshold * blurred.max())[clear])


def test_an_end_without_a_progress_is_refused():
    with pytest.raises(ValueError, match="progress"):
        shrinkwrap(xp, disc(4)[None], everywhere(1), np.array([0]), finish=(1, 0.1))


FINISH = 'er[iterations=100,starts=2,tolerance=0,support="shrinkwrap[every=10{}]"]'


def solve(label, measurement, backend, observer=None):
    solver = create(label)
    solver.prepare(backend)
    return solver.solve(measurement, Streams(), observer)


def test_a_start_is_what_it_is_without_an_end_until_that_begins(tiles):
    seen = {}
    for finish in ("", ",finish=0.5:0.05"):
        looks = seen.setdefault(finish, {})

        def look(snapshot, looks=looks):
            looks[int(snapshot.starts[0]), int(snapshot.iterations[0])] = snapshot.estimate[0]

        m = measure(tiles[:1], grid=(60, 56))
        solve(FINISH.format(finish), m, Backend("numpy", precision="float64"), look)
    usual, other = seen.values()
    assert usual.keys() == other.keys()
    same = {at for at in usual if np.array_equal(usual[at], other[at])}
    # the update at 0.4 is still the usual one, and what it leads to is seen ten iterations later
    assert same == {(0, k) for k in range(10, 51, 10)} | {(1, k) for k in range(10, 91, 10)}


@pytest.mark.skipif(compiled.kernels() is None, reason="the compiled kernels were not built")
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_the_kernels_and_the_portable_code_come_to_the_same_end(tiles, kind):
    x = tiles[:3] * (np.exp(1j * tiles[3:6]) if kind == "complex" else 1)
    m = measure(x, grid=(60, 56))
    label = FINISH.format(",finish=0.5:0.05")
    fast = solve(label, m, Backend("torch"))
    slow = solve(label, m, Backend("numpy", precision="float64"))
    assert (fast.kernel, slow.kernel) == ("compiled", "portable")
    np.testing.assert_allclose(fast.residual, slow.residual, rtol=1e-3)
    np.testing.assert_allclose(fast.images, slow.images, atol=1e-2)


@pytest.mark.parametrize(
    "backend", [Backend("torch"), Backend("numpy", precision="float64")], ids=["kernels", "portable"]
)
def test_an_end_lets_in_the_dark_pixels_that_the_threshold_has_cut_off(tiles, backend):
    """From the truth: two of these objects have dark pixels, and lose them to the support."""
    x = tiles[:4] * np.exp(1j * np.pi * tiles[4:8])
    m = measure(x, grid=(64, 64))
    found = []
    for finish in ("", ",finish=0.4:0.03"):
        support = f"shrinkwrap[sigma=3:1,decay=0.95,keep=last{finish}]"
        solver = create(f'er[iterations=400,tolerance=0,support="{support}"]')
        solver.prepare(backend)
        found.append(solver.refine(np.pad(x, ((0, 0), (0, 36), (0, 36))), m, Streams()))
    usual, ended = found
    (dark,) = np.nonzero(usual.residual > 2e-3)
    assert dark.tolist() == [0, 3]
    assert (ended.residual[dark] < 0.3 * usual.residual[dark]).all()
    errors = [adjusted_mse(x, each.images)[dark] for each in found]
    assert (errors[1] < 0.3 * errors[0]).all()
    assert (np.delete(ended.residual, dark) < 2e-3).all()
