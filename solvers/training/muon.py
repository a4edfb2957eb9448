"""The optimizer of the hidden layers: momentum, made orthogonal (Muon; Jordan et al., 2024).

A step of Adam moves every weight by about as much, whatever the others do: the update of a matrix is then dominated
by a few directions. Muon replaces the momentum of a matrix by the nearest orthogonal one, so that all directions of
its input are learned at one pace. torch.optim.Muon takes matrices only, and most weights here are convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# Coefficients of the odd quintic a x + b x³ + c x⁵ that takes singular values to about 1 in the fewest iterations.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_RMS = 0.2  # root mean square of an update, about that of Adam's: the two can share a learning rate


class Muon(torch.optim.Optimizer):
    """Weights of two or more dimensions, taken as matrices (first dimension, all others).

    Args:
        lr: root mean square change of a weight in a step, divided by 0.2 (Liu et al., 2025).
        momentum: Nesterov's.
        weight_decay: decoupled, relative to the learning rate.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        if closure is not None:
            raise NotImplementedError("Muon evaluates no closure")
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                self._update(weights, group)
        return None

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [p.grad for p in weights if p.grad is not None]
        for p in weights:
            if not self.state[p]:
                self.state[p]["average"] = torch.zeros_like(p)
        averages = [self.state[p]["average"] for p in weights]
        torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, averages, group["momentum"])
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(weights, directions(list(ahead)), alpha=-group["lr"])


def directions(momenta: list[Tensor]) -> list[Tensor]:
    """The update of each weight for a learning rate of 1. Those of one shape are computed together."""
    alike: dict[torch.Size, list[int]] = {}
    for number, momentum in enumerate(momenta):
        alike.setdefault(momentum.shape, []).append(number)
    found = list(momenta)
    for shape, numbers in alike.items():
        matrices = orthogonalise(torch.stack([momenta[number].flatten(1) for number in numbers]))
        size = _RMS * max(matrices.shape[1:]) ** 0.5  # an orthogonal matrix has entries of 1 / √(longer side)
        for number, matrix in zip(numbers, matrices.mul(size), strict=True):
            found[number] = matrix.reshape(shape)
    return found


def orthogonalise(matrices: Tensor) -> Tensor:
    """Roughly U Vᵀ of the singular value decompositions U S Vᵀ (count, rows, columns), by a Newton–Schulz iteration.

    Singular values end between 0.7 and 1.2, but for those that are negligible beside the largest.
    """
    a, b, c = _QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def hidden_weights(model: nn.Module, ends: Iterable[nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    """Weights for Muon, and all others, which are for Adam: biases, norms, places, and the layers at the `ends`."""
    outer = {id(p) for layer in ends for p in layer.parameters()}
    hidden: list[Tensor] = []
    others: list[Tensor] = []
    for name, p in model.named_parameters():
        inner = p.ndim >= 2 and name.endswith(".weight") and id(p) not in outer
        (hidden if inner else others).append(p)
    return hidden, others
