"""DAPS draws from the posterior around what the denoiser makes of an image, at falling noise levels."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import prepared

from bench.commands.train import _learned_solver
from bench.score.metrics import adjusted_mse
from datasets.labels import write_label
from datasets.problem import Problem
from solvers import Backend, ParameterError, Status, Streams, UnavailableError, create
from solvers.iterative.block import box_block
from solvers.prior.daps import STEP, DecoupledAnnealing, _Noise

BEGIN = "rrr[nonneg=true,iterations=200] + er[nonneg=true,iterations=60]"
QUICK = {"begin": BEGIN, "tries": 1, "steps": 6, "ode": 2, "langevin": 4}


def quick(**parameters):
    return prepared(write_label("daps", {**QUICK, **parameters}), Backend("torch"))


@pytest.mark.slow
def test_it_takes_away_error_that_the_measurement_alone_leaves(objects, noisy):
    begun = prepared(write_label("chain", {"stages": BEGIN}), Backend("torch"))
    start = adjusted_mse(objects, begun.solve(noisy, Streams()).images)
    found = quick(steps=15).solve(noisy, Streams())
    assert np.median(adjusted_mse(objects, found.images) / start) < 0.75
    assert (found.images >= 0).all()


@pytest.mark.slow
def test_the_same_seed_draws_the_same_image_in_any_company_and_another_seed_another(objects, noisy):
    images = np.zeros((4, 96, 96), dtype=np.float32)
    images[:, :42, :42] = objects
    solver = quick()
    whole = solver.refine(images, noisy, Streams())
    alone = solver.refine(images[2:], noisy[2:], Streams())
    np.testing.assert_array_equal(alone.images, whole.images[2:])
    for streams in (Streams(1), Streams(first=1)):
        other = solver.refine(images, noisy, streams)
        assert (np.abs(other.images - whole.images).max(axis=(1, 2)) > 0).all()


class Halving:
    """A denoiser that gives the share of an image that a Gaussian prior of variance 1 leaves."""

    def field(self, box):
        return box

    def __call__(self, x, sigma):
        return x / (1 + sigma[:, None, None] ** 2)


def test_the_flow_is_eulers_method_for_the_published_equation(rng):
    solver = quick(ode=3)
    solver._model = Halving()
    x, sigma = torch.from_numpy(rng.standard_normal((2, 5, 5))), torch.tensor([0.8, 0.3], dtype=torch.float64)
    expected = x.clone()
    levels = [sigma * (1 - i / 3) for i in range(4)]
    for now, following in pairwise(levels):
        slope = (expected - solver._model(expected, now)) / now[:, None, None]
        expected = expected + (following - now)[:, None, None] * slope
    torch.testing.assert_close(solver._flow(x, sigma, (5, 5)), expected)


def test_langevin_follows_the_gradient_of_the_posterior(objects, noisy):
    """By finite differences of −log p(x₀ | x̂, Y), without the noise."""
    solver = quick(langevin=1)
    backend = Backend("torch", precision="float64")
    block = box_block(noisy[:1], backend, real=True, nonnegative=True)
    rng = np.random.default_rng(1)
    prior, spread = torch.tensor([[[0.04]]]).double(), torch.tensor([[[0.01]]]).double()
    centre = torch.zeros(1, 96, 96).double()
    centre[:, :42, :42] = torch.from_numpy(objects[:1]).double() + 0.1 * torch.from_numpy(rng.random((1, 42, 42)))
    root = np.sqrt(noisy.intensities[0])
    root = np.sqrt((root**2 + np.roll(root[::-1, ::-1], (1, 1), (0, 1)) ** 2) / 2)

    def energy(x):
        misfit = np.sum((np.abs(np.fft.fft2(x)) - root) ** 2) / root.size
        return misfit / (2 * 0.01) + np.sum((x - centre[0].numpy()) ** 2) / (2 * 0.04)

    class Silent:
        def in_box(self, block):
            return torch.zeros(1, 96, 96).double()

    moved = solver._sample(centre, prior, spread, torch.ones(1, 1, 1).double(), block, Silent())
    step = STEP / (1 / 0.04 + 1 / 0.01)
    gradient = ((centre - moved) / step)[0].numpy()
    for pixel in ((10, 12), (20, 20), (30, 5)):
        nudge = np.zeros((96, 96))
        nudge[pixel] = 1e-5
        slope = (energy(centre[0].numpy() + nudge) - energy(centre[0].numpy() - nudge)) / 2e-5
        assert gradient[pixel] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_its_noise_is_white_in_the_box_and_nothing_outside(noisy):
    backend = Backend("torch")
    block = box_block(noisy, backend, real=True, nonnegative=True)
    drawn = _Noise(noisy, Streams(), backend).in_box(block)
    inside = drawn[:, :42, :42]
    assert inside.std().item() == pytest.approx(1, rel=0.05)
    assert inside.mean().item() == pytest.approx(0, abs=0.05)
    assert not drawn[:, 42:].any()
    assert not drawn[:, :, 42:].any()


@pytest.mark.slow
def test_a_bad_measurement_spoils_no_other(noisy, objects):
    y = noisy.intensities.copy()
    y[1] = 0
    images = np.zeros((4, 96, 96), dtype=np.float32)
    images[:, :42, :42] = objects
    bad, good = (quick().refine(images, m, Streams()) for m in (replace(noisy, intensities=y), noisy))
    assert bad.status[1] == Status.INVALID
    np.testing.assert_array_equal(bad.images[[0, 2, 3]], good.images[[0, 2, 3]])


def test_its_cost_counts_every_projection(noisy, objects):
    images = np.zeros((4, 96, 96), dtype=np.float32)
    images[:, :42, :42] = objects
    np.testing.assert_array_equal(quick().refine(images, noisy, Streams()).transforms, 2 * 6 * 4 + 1)


def test_its_denoiser_is_that_of_pnp(tmp_path):
    assert create("daps").files(Problem()) == create("pnp").files(Problem())
    assert str(create("daps").information()) == "support: box, real, nonnegative, trained on fashion_mnist"
    assert isinstance(create("daps"), DecoupledAnnealing)
    with pytest.raises(ParameterError, match="solver 'daps' has nothing to train: choose from unet_b, unet_a, pnp,"):
        _learned_solver("daps")
    missing = create(write_label("daps", {"weights": tmp_path / "none.safetensors"}))
    with pytest.raises(UnavailableError, match="train --solver pnp "):
        missing.prepare(Backend("torch"))
