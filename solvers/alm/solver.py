"""The augmented Lagrangian method with L-BFGS subproblems."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from solvers import compiled
from solvers.alm.lbfgs import History, inner_product, two_loop
from solvers.backend import Array
from solvers.iterative.block import Block
from solvers.iterative.kernels import replaced_by, replacement
from solvers.iterative.solver import IterativeSolver
from solvers.iterative.state import CHECK_EVERY, Ends, State
from solvers.iterative.support import Shrinkwrap

ARMIJO = 1e-4  # sufficient decrease, Nocedal and Wright, section 3.1
BACKTRACKS = 8  # halvings of a step before it is given up


class _Iterate(NamedTuple):
    """Arrays of one block; shapes (B, m1, m2) and (B,). The kernel has others, but begins with the same one."""

    evaluations: Array  # transform pairs spent
    z: Array
    misfit: Array  # z − P_M z, the gradient of ½ dist²(z, M)
    value: Array  # L(z, λ)
    gradient: Array  # of L at z
    multiplier: Array  # λ
    rho: Array  # ρ
    violation: Array  # ‖z − P_S z‖ at the last multiplier update
    inner: Array  # subproblem steps since then


@replaced_by("alm", "lagrangian", "penalised", "step", "update_multipliers")
class AugmentedLagrangian(IterativeSolver):
    """min ½ dist²(Z, M) subject to Z ∈ S: the method the paper calls ALM.

    M holds the images with the measured Fourier magnitudes, S those that are zero outside the box (and, with
    `nonneg`, nonnegative). Each subproblem minimises the augmented Lagrangian

        L(Z, λ) = ½ ‖Z − P_M Z‖² + ρ/2 dist²(Z + λ/ρ, S)

    which for the box alone is, up to a constant, ½ ‖Z − P_M Z‖² + ⟨λ, AZ⟩ + ρ/2 ‖AZ‖² with A the restriction to
    the outside of the box. Its gradient (Z − P_M Z) + ρ (V − P_S V), V = Z + λ/ρ, is that of L wherever no
    Fourier coefficient of Z vanishes. After a few L-BFGS steps the multipliers follow, λ ← ρ (V − P_S V), which
    for the box is λ + ρ AZ, and ρ grows where the violation ‖Z − P_S Z‖ has not shrunk enough.

    Sources: Zhuang, Wang, Travadi and Sun, ICML workshop on Beyond First Order Methods (2020) for the problem;
    Nocedal and Wright, Numerical Optimization (2006), chapters 7 and 17, for the method.
    """

    name = "alm"
    summary = "augmented Lagrangian method with L-BFGS subproblems"

    iterations: int = Field(
        4000, ge=1, le=10**6, description="L-BFGS steps of the first start, at most; k times in the k-th"
    )
    rho: float = Field(0.01, gt=0, description="first penalty ρ")
    rho_max: float = Field(0.1, gt=0, description="largest penalty ρ")
    growth: float = Field(1.01, ge=1, description="factor on ρ where the violation has not shrunk enough")
    shrink: float = Field(1.0, gt=0, description="the violation must fall to this part of the last one")
    inner: int = Field(10, ge=1, le=10**6, description="L-BFGS steps per multiplier update")
    memory: int = Field(4, ge=0, le=20, description="curvature pairs of L-BFGS")

    @model_validator(mode="after")
    def _penalties_rise(self) -> AugmentedLagrangian:
        if self.rho > self.rho_max:
            raise ValueError(f"rho={self.rho:g} is above rho_max={self.rho_max:g}: the penalty only grows")
        return self

    def begin(self, guess: Array, block: Block) -> State:
        kernel = self._kernel(block)
        if kernel:
            return tuple(map(block.backend.asarray, kernel.begin(block.backend.to_numpy(guess))))
        xp = block.backend.xp
        scalar = xp.zeros_like(xp.sum(xp.abs(guess), axis=(1, 2)))
        iterate = _Iterate(
            evaluations=scalar + 1,
            z=guess,
            misfit=guess,
            value=scalar,
            gradient=guess,
            multiplier=xp.zeros_like(guess),
            rho=scalar + self.rho,
            violation=scalar + float("inf"),
            inner=scalar,
        )
        value, gradient, misfit = self.lagrangian(guess, iterate, block)
        iterate = iterate._replace(value=value, gradient=gradient, misfit=misfit)
        return (*iterate, *History.empty(guess, self.memory).arrays())

    def advance(self, state: State, block: Block, count: int) -> State:
        kernel = self._kernel(block)
        if kernel:
            kernel.iterate(_kernel_state(state, block), count)
            return state
        size = len(_Iterate._fields)
        iterate, history = _Iterate(*state[:size]), History.of(state[size:])
        if isinstance(self.support, Shrinkwrap):  # which may have changed: L and its gradient are no longer those of it
            value, gradient = self.penalised(iterate.z, iterate.misfit, iterate.multiplier, iterate.rho, block)
            iterate = iterate._replace(value=value, gradient=gradient)
        for _ in range(count):
            iterate, history = self.step(iterate, history, block)
            iterate = self.update_multipliers(iterate, block)
        return (*iterate, *history.arrays())

    def pursue(self, state: State, block: Block, limit: NDArray[np.int64]) -> Ends | None:
        kernel = self._kernel(block)
        if kernel is None:
            return None
        age, estimate, residual = kernel.pursue(_kernel_state(state, block), limit, CHECK_EVERY, self.tolerance)
        return Ends(state, age, block.backend.asarray(estimate), block.backend.asarray(residual))

    def iterated_by(self, block: Block) -> str:
        return "compiled" if self._kernel(block) else super().iterated_by(block)

    def estimate(self, state: State, block: Block) -> Array:
        kernel = self._kernel(block)
        if kernel:
            return block.backend.asarray(kernel.images(_kernel_state(state, block)))
        return block.project_object(_Iterate(*state[: len(_Iterate._fields)]).z)

    def transforms(self, state: State, iterations: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs = self.backend.to_numpy(state[0])
        return 2 * np.rint(pairs).astype(np.int64) + -(-iterations // self.look_every)

    def lagrangian(self, z: Array, it: _Iterate, block: Block) -> tuple[Array, Array, Array]:
        """L (B,) and its gradient (B, m1, m2) at z, with the multipliers and penalties of `it`; and z − P_M z."""
        misfit = z - block.project_magnitude(z)
        value, gradient = self.penalised(z, misfit, it.multiplier, it.rho, block)
        return value, gradient, misfit

    def penalised(self, z: Array, misfit: Array, multiplier: Array, rho: Array, block: Block) -> tuple[Array, Array]:
        """L (B,) and its gradient (B, m1, m2) at a z whose distance vector to M is known."""
        xp = block.backend.xp
        rho = rho[:, None, None]
        v = z + multiplier / rho
        outside = v - block.project_object(v)
        value = xp.sum(xp.abs(misfit) ** 2 + rho * xp.abs(outside) ** 2, axis=(1, 2)) / 2
        return value, misfit + rho * outside

    def step(self, it: _Iterate, history: History, block: Block) -> tuple[_Iterate, History]:
        """One L-BFGS step on the subproblem, each image with its own backtracking line search."""
        xp = block.backend.xp
        d = two_loop(xp, it.gradient, history)
        slope = inner_product(xp, it.gradient, d)
        length = xp.ones_like(slope)
        pending = xp.ones_like(slope)  # 1 while an image's line search goes on
        evaluations = it.evaluations
        for _ in range(BACKTRACKS + 1):
            z = it.z + length[:, None, None] * d
            value, gradient, misfit = self.lagrangian(z, it, block)
            enough = value <= it.value + ARMIJO * length * slope
            evaluations = evaluations + pending
            if bool(xp.all(enough)):
                break
            pending = xp.where(enough, 0.0 * pending, pending)
            length = xp.where(enough, length, length / 2)
        history = history.push(z - it.z, gradient - it.gradient)
        moved = it._replace(
            z=z, value=value, gradient=gradient, misfit=misfit, inner=it.inner + 1, evaluations=evaluations
        )
        return moved, history

    def update_multipliers(self, it: _Iterate, block: Block) -> _Iterate:
        """λ ← ρ (V − P_S V), and ρ adapted, for the images whose subproblem has had its steps."""
        xp = block.backend.xp
        due = it.inner >= self.inner
        if not bool(xp.any(due)):
            return it
        wide = due[:, None, None]
        rho = it.rho[:, None, None]
        v = it.z + it.multiplier / rho
        multiplier = xp.where(wide, rho * (v - block.project_object(v)), it.multiplier)
        violation = xp.sqrt(xp.sum(xp.abs(it.z - block.project_object(it.z)) ** 2, axis=(1, 2)))
        stuck = due & (violation > self.shrink * it.violation)
        grown = xp.where(stuck, xp.clip(it.rho * self.growth, None, self.rho_max), it.rho)
        value, gradient = self.penalised(it.z, it.misfit, multiplier, grown, block)
        return it._replace(
            value=xp.where(due, value, it.value),
            gradient=xp.where(wide, gradient, it.gradient),
            multiplier=multiplier,
            rho=grown,
            violation=xp.where(due, violation, it.violation),
            inner=xp.where(due, xp.zeros_like(it.inner), it.inner),
        )

    def _kernel(self, block: Block) -> compiled.Lagrangian | None:
        """The compiled kernel for these images; None where the portable code runs."""
        if block.constraints is None or block.pixels is not None or replacement(type(self)) is None:
            return None
        parameters = {
            "inner": self.inner,
            "fixed": not isinstance(self.support, Shrinkwrap),
            "rho": self.rho,
            "shrink": self.shrink,
            "growth": self.growth,
            "rho_max": self.rho_max,
            "armijo": ARMIJO,
            "backtracks": BACKTRACKS,
        }
        return compiled.Lagrangian(block.constraints, self.memory, parameters)


def _kernel_state(state: State, block: Block) -> compiled.LagrangianState:
    """The state as the kernel takes it, which iterates in the memory of these arrays: copies would take too long."""
    return compiled.LagrangianState(*map(block.backend.to_numpy, state))
