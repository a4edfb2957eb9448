"""The optimizer of the hidden layers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import TINY

from solvers.learned.phase_model import PhaseModel
from solvers.training.muon import Muon, hidden_weights, orthogonalise


@given(rows=st.integers(1, 24), columns=st.integers(1, 24), seed=st.integers(0, 2**16))
def test_the_direction_is_near_the_orthogonal_factor(rows, columns, seed):
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    singular = torch.diagonal(u.T @ orthogonalise(matrix[None])[0] @ vt.T)
    telling = s > 0.02 * torch.linalg.norm(s)
    assert singular[telling].min() > 0.3
    assert singular.max() < 1.3


def test_its_size_does_not_depend_on_that_of_the_gradient():
    matrix = torch.randn(1, 8, 20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalise(1e-3 * matrix), orthogonalise(1e3 * matrix), atol=1e-3, rtol=1e-3)
    assert not orthogonalise(torch.zeros(1, 3, 4)).any()


@pytest.mark.parametrize("shape", [(12, 12), (16, 4, 3, 3), (4, 30)])
def test_a_step_changes_a_weight_by_about_the_learning_rate(shape):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(shape))
    weight.grad = torch.randn(shape)
    Muon([weight], lr=0.01).step()
    change = weight.detach()
    assert float(change.square().mean().sqrt()) == pytest.approx(0.2 * 0.01, rel=0.35)
    assert float((change * weight.grad).sum()) < 0  # downhill


def test_weights_of_one_shape_do_not_disturb_each_other():
    torch.manual_seed(0)
    shapes = [(6, 4), (4, 6), (6, 4), (6, 2, 2)]
    gradients = [torch.randn(shape) for shape in shapes]

    def stepped(chosen):
        weights = [torch.nn.Parameter(torch.ones(shapes[i])) for i in chosen]
        for weight, i in zip(weights, chosen, strict=True):
            weight.grad = gradients[i]
        Muon(weights, lr=0.1).step()
        return [weight.detach() for weight in weights]

    together = stepped(range(4))
    for i, weight in enumerate(together):
        torch.testing.assert_close(stepped([i])[0], weight)


def test_weight_decay_is_decoupled_from_the_gradient():
    weight = torch.nn.Parameter(torch.ones(3, 3))
    weight.grad = torch.zeros(3, 3)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.full((3, 3), 0.95))


def test_it_solves_an_ill_conditioned_least_squares_problem():
    torch.manual_seed(0)
    data = torch.randn(200, 10) * torch.logspace(0, -2, 10)
    weight = torch.nn.Parameter(torch.zeros(4, 10))
    target = data @ torch.randn(4, 10).T
    optimizer = Muon([weight])
    losses = []
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.2 * (1 - step / 300)
        loss = (data @ weight.T - target).square().mean()
        weight.grad = None
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 1e-3 * losses[0]


def test_every_weight_has_one_optimizer_and_the_ends_of_the_network_are_for_adam():
    model = PhaseModel(**TINY)
    hidden, others = hidden_weights(model, model.ends())
    assert {id(p) for p in hidden} | {id(p) for p in others} == {id(p) for p in model.parameters()}
    assert len(hidden) + len(others) == len(list(model.parameters()))
    assert all(p.ndim >= 2 for p in hidden)
    unet = model.unet
    assert {id(unet.stem.weight), id(unet.head.weight), id(unet.place)} <= {id(p) for p in others}
