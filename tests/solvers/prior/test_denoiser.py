"""The denoiser: its preconditioning is that of Karras et al., and the shipped weights take noise away."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datasets import place, placements
from solvers import Backend, create
from solvers.prior.denoiser import DATA_SIGMA, NORM, Architecture, Denoiser, noise_level, normalised

FIELD = 48
SMALL = Architecture(widths=(8, 16), features=8)


@pytest.fixture(scope="module")
def shipped() -> Denoiser:
    solver = create("pnp")
    solver.prepare(Backend("torch"))
    return solver._model


@pytest.fixture(scope="module")
def clean(tiles) -> torch.Tensor:
    """Eight test images anywhere in the field of the training, with the norm of the training."""
    where = placements("shift_flip", seed=3, split="test", indices=np.arange(8))
    return normalised(torch.from_numpy(place(tiles[:8], where, (FIELD, FIELD))))


def noisy(clean, sigma):
    return clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))


def levels(sigma, count):
    return torch.full((count,), sigma)


@torch.inference_mode()
def error(found, clean):
    return float((found - clean).square().sum() / clean.square().sum())


def silent():
    """A network that says nothing."""
    denoiser = Denoiser(SMALL)
    torch.nn.init.zeros_(denoiser.net.head.bias)
    return denoiser


@pytest.mark.parametrize("sigma", [0.002, 0.1, 0.5, 1.0])
def test_a_network_that_says_nothing_leaves_the_mean_of_normal_pixels(sigma):
    """Wiener's filter for pixels of variance σ_d² in noise of variance σ²."""
    x = torch.randn(3, 16, 24)
    expected = x * DATA_SIGMA**2 / (DATA_SIGMA**2 + sigma**2)
    torch.testing.assert_close(silent()(x, levels(sigma, 3)), expected)


@torch.inference_mode()
def test_the_loss_weighs_errors_as_karras_does():
    """With a network that says nothing, (σ² + σ_d²) / (σ σ_d)² ‖D − x‖² has an expectation that is known."""
    torch.manual_seed(0)
    clean = normalised(torch.rand(2001, 8, 8))
    s = torch.tensor([noise_level(k / 2000) for k in range(2001)])
    total = s**2 + DATA_SIGMA**2
    expected = ((s / DATA_SIGMA) ** 2 * NORM**2 / 64 + DATA_SIGMA**2) / total
    found = silent().loss(noisy(clean, s[:, None, None]), s, clean)
    assert float(found) == pytest.approx(float(expected.mean()), rel=0.01)


@pytest.mark.parametrize(("sigma", "left"), [(0.03, 0.5), (0.1, 0.3), (0.3, 0.15), (1.0, 0.06)])
@torch.inference_mode()
def test_the_shipped_denoiser_takes_most_of_the_noise_away(shipped, clean, sigma, left):
    x = noisy(clean, sigma)
    assert error(shipped(x, levels(sigma, 8)), clean) < left * error(x, clean)


@torch.inference_mode()
def test_it_does_not_matter_where_in_the_field_an_image_lies(shipped, tiles):
    first, second = (torch.zeros(4, FIELD, FIELD) for _ in range(2))
    first[:, 4:32, 5:33] = torch.from_numpy(tiles[:4])
    second[:, 9:37, 12:40] = torch.from_numpy(tiles[:4])
    one, other = (shipped(noisy(normalised(x), 0.1), levels(0.1, 4)) for x in (first, second))
    one, other = one[:, 4:32, 5:33], other[:, 9:37, 12:40]
    assert error(one, other) < 0.01  # the noise is another one, at ten times this error


@pytest.mark.parametrize("shape", [(48, 48), (56, 64)])
def test_any_field_of_whole_strides_is_denoised(shape):
    denoiser = Denoiser(SMALL)
    assert denoiser.stride == 4
    assert denoiser(torch.rand(2, *shape), levels(0.1, 2)).shape == (2, *shape)
