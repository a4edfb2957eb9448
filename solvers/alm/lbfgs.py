"""Limited-memory BFGS for a batch of independent problems, each with its own curvature.

Source: Nocedal and Wright, Numerical Optimization (2006), algorithm 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from solvers.backend import Array


@dataclass(frozen=True)
class History:
    """The last curvature pairs of B problems, oldest first: steps s and gradient differences y, each (B, m1, m2).

    A pair of zeros stands for "none yet": it leaves the direction as it is.
    """

    steps: tuple[Array, ...]
    changes: tuple[Array, ...]

    @classmethod
    def empty(cls, like: Array, memory: int) -> History:
        return cls(tuple(like * 0 for _ in range(memory)), tuple(like * 0 for _ in range(memory)))

    @classmethod
    def of(cls, arrays: tuple[Array, ...]) -> History:
        half = len(arrays) // 2
        return cls(arrays[:half], arrays[half:])

    def arrays(self) -> tuple[Array, ...]:
        return (*self.steps, *self.changes)

    def push(self, step: Array, change: Array) -> History:
        """The history with the newest pair in place of the oldest."""
        if not self.steps:
            return self
        return History((*self.steps[1:], step), (*self.changes[1:], change))


def inner_product(xp: ModuleType, a: Array, b: Array) -> Array:
    """Re ⟨a, b⟩ of each problem: (B,)."""
    if xp.isdtype(a.dtype, "complex floating"):
        return xp.sum(xp.real(xp.conj(a) * b), axis=(1, 2))
    return xp.sum(a * b, axis=(1, 2))


def two_loop(xp: ModuleType, gradient: Array, history: History) -> Array:
    """The quasi-Newton descent direction −Hg of each problem, (B, m1, m2), by the two-loop recursion.

    Pairs without positive curvature are passed over, image by image, so that H stays positive definite.
    """
    q = gradient
    pairs = []
    scale = None
    for s, y in zip(reversed(history.steps), reversed(history.changes), strict=True):
        sy, yy = inner_product(xp, s, y), inner_product(xp, y, y)
        usable = sy > 1e-10 * yy
        inverse = xp.where(usable, 1 / xp.where(usable, sy, xp.ones_like(sy)), xp.zeros_like(sy))
        alpha = inverse * inner_product(xp, s, q)
        q = q - alpha[:, None, None] * y
        pairs.append((s, y, inverse, alpha))
        ratio = xp.where(usable, sy / xp.where(usable, yy, xp.ones_like(yy)), xp.zeros_like(sy))
        # The newest usable pair sets the scale of the initial Hessian, eq. 7.20.
        scale = ratio if scale is None else xp.where(scale > 0, scale, ratio)
    if scale is not None:
        q = q * xp.where(scale > 0, scale, xp.ones_like(scale))[:, None, None]
    for s, y, inverse, alpha in reversed(pairs):
        beta = inverse * inner_product(xp, y, q)
        q = q + (alpha - beta)[:, None, None] * s
    return -q
