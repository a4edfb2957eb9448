"""Under noise P_M can go a part of the way: as far as the photons that were counted can be trusted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import measure
from datasets.forward import half_plane
from datasets.photons import one_photon
from solvers import Backend, ParameterError, Streams, create
from solvers.iterative.block import box_block
from solvers.iterative.noise import trusted

RELAXED = "rrr[nonneg=true,iterations=40,relax=0.25]"


def solve(label, measurement, backend=Backend("torch")):  # noqa: B008
    solver = create(label)
    solver.prepare(backend)
    return solver.solve(measurement, Streams())


@pytest.fixture(scope="module")
def noisy(small_objects):
    return measure(small_objects[:3], grid=(14, 15), photons=1e4)


@given(st.integers(0, 2**32 - 1))
def test_a_magnitude_goes_so_much_of_the_way_and_keeps_its_phase(numpy64, noisy, seed):
    rng = np.random.default_rng(seed)
    block = box_block(noisy, numpy64, real=True, nonnegative=False)
    w = rng.random(block.magnitude.shape)
    x = rng.standard_normal((3, 14, 15))
    before = np.fft.rfft2(x)
    after = np.fft.rfft2(replace(block, weight=w).project_magnitude(x))
    free = np.ones(before.shape[1:], dtype=bool)
    free[:, 0] = False  # where a coefficient of a real image is bound to another one, w has to be symmetric
    expected = (w * block.magnitude + (1 - w) * np.abs(before)) * before / np.abs(before)
    np.testing.assert_allclose(after[:, free], expected[:, free], atol=1e-9)


def test_the_weight_of_c_photons_is_c_over_c_and_kappa(noisy):
    u = one_photon(noisy.intensities)[:, None, None]
    counts = half_plane(noisy.intensities) / u
    np.testing.assert_allclose(half_plane(trusted(noisy.intensities, 0.25)), counts / (counts + 0.25))


def test_of_a_pair_one_that_was_measured_is_trusted(noisy):
    """An even beamstop leaves coefficients measured whose opposites are not: the brightest ones."""
    y = noisy.intensities.copy()
    y[:, 0, 1] = np.nan
    weights = trusted(y, 0.25)
    counts = y[:, 0, -1] / one_photon(y)
    np.testing.assert_allclose(weights[:, 0, -1], counts / (counts + 0.25))
    np.testing.assert_allclose(weights[:, 0, 1], weights[:, 0, -1])
    y[:, 0, -1] = np.nan
    assert not trusted(y, 0.25)[:, 0, [1, -1]].any()


def test_without_noise_every_magnitude_has_its_full_weight(small):
    np.testing.assert_allclose(trusted(small.intensities, 0.25), 1, atol=1e-3)


def test_it_runs_the_portable_code_and_says_so(noisy):
    assert solve(RELAXED, noisy).kernel == "portable"
    for label in (RELAXED, 'chain[stages="unet_a + rrr[relax=1]"]'):
        assert "rrr[relax=…] runs the portable code" in "".join(create(label).remarks(Backend()))
    assert create("rrr").remarks(Backend()) == []


def test_an_image_does_not_depend_on_its_neighbours(noisy, numpy64):
    whole = solve(RELAXED, noisy, numpy64)
    for row in range(3):
        alone = solve(RELAXED, noisy[np.array([row])], numpy64)
        np.testing.assert_allclose(alone.images[0], whole.images[row], atol=1e-9)


def test_it_is_refused_what_is_not_real(noisy):
    with pytest.raises(ParameterError, match="relax needs real=true"):
        create("rrr[real=false,relax=1]")
    with pytest.raises(ParameterError, match=r"rrr\[relax=1\] was given complex objects"):
        solve("rrr[relax=1]", replace(noisy, real=False, nonnegative=False))


def test_a_solver_that_does_not_relax_is_the_one_that_it_was(noisy):
    assert create("rrr[relax=0]").label == "rrr"
    one, other = solve("rrr[relax=0]", noisy), solve("rrr", noisy)
    assert one.kernel == other.kernel
    np.testing.assert_array_equal(one.images, other.images)
