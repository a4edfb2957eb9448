"""What the projection solvers share: the state is one image, an iteration is one application of a published map."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers import compiled, cuda
from solvers.backend import Array
from solvers.block import Block
from solvers.iterative import CHECK_EVERY, Ends, IterativeSolver, State


class ProjectionSolver(IterativeSolver):
    """A fixed-point iteration x ← T(x) of the projections P_M (magnitudes) and P_S (support, nonnegativity)."""

    @abstractmethod
    def step(self, x: Array, block: Block) -> Array:
        """One application of the map to images (B, m1, m2)."""

    def solution(self, x: Array, block: Block) -> Array:
        """The image that an iterate stands for; for most maps a fixed point x* gives the solution P_M x*."""
        if block.compiled and block.box is not None:
            return self._advanced("er", x, block, 1)
        if block.on_gpu:
            return cuda.iterate("er", x, block.magnitude, beta=0.0, count=1, **self._constraints(block))
        return block.project_object(block.project_magnitude(x))

    def begin(self, guess: Array, block: Block) -> State:
        return (guess,)

    def advance(self, state: State, block: Block, count: int) -> State:
        (x,) = state
        if self._takes_kernel(block):
            return (self._advanced(self.name, x, block, count),)
        if self.has_kernel() and block.on_gpu:
            return (
                cuda.iterate(
                    self.name, x, block.magnitude, beta=self._relaxation(), count=count, **self._constraints(block)
                ),
            )
        for _ in range(count):
            x = self.step(x, block)
        return (x,)

    def advance_and_check(self, state: State, block: Block, count: int) -> tuple[State, Array, Array]:
        (x,) = state
        if self._takes_kernel(block):  # a pursuit that is looked at once
            state, _, estimate, residual = self._pursued(x, block, np.full(len(x), count), every=count)
            return state, estimate, residual
        if self.has_kernel() and block.on_gpu:
            found = cuda.iterate_and_check(
                self.name, x, block.magnitude, beta=self._relaxation(), count=count, **self._constraints(block)
            )
            if found is not None:
                x, estimate, residual = found
                return (x,), estimate, residual
        return super().advance_and_check(state, block, count)

    def pursue(self, state: State, block: Block, limit: NDArray[np.int64]) -> Ends | None:
        return self._pursued(state[0], block, limit, CHECK_EVERY) if self._takes_kernel(block) else None

    def _takes_kernel(self, block: Block) -> bool:
        return self.has_kernel() and block.compiled and block.box is not None

    def has_kernel(self) -> bool:
        """Whether the compiled kernels know this map with these parameters."""
        return self.name in compiled.MAPS

    def estimate(self, state: State, block: Block) -> Array:
        (x,) = state
        return self.solution(x, block)

    def transforms(self, state: State, iterations: NDArray[np.int64]) -> NDArray[np.int64]:
        checks = -(-iterations // CHECK_EVERY)
        return 2 * iterations + 3 * checks  # a check projects once and transforms the estimate

    def _advanced(self, name: str, x: Array, block: Block, count: int) -> Array:
        """The images after `count` iterations of a map by the compiled kernel. The argument is left as it is."""
        images = block.backend.to_numpy(x).copy()
        self._kernel(name, block).iterate(images, count)
        return block.backend.asarray(images)

    def _pursued(self, x: Array, block: Block, limit: NDArray[np.int64], every: int) -> Ends:
        """`pursue` by the compiled kernel. The argument is left as it is."""
        backend = block.backend
        images = backend.to_numpy(x).copy()
        ends = self._kernel(self.name, block).pursue(images, limit.astype(np.int32), every, self.tolerance)
        return Ends(
            (backend.asarray(images),),
            ends.age.astype(np.int64),
            backend.asarray(ends.estimate),
            backend.asarray(ends.residual),
        )

    def _kernel(self, name: str, block: Block) -> compiled.Projection:
        """A map as the compiled kernel knows it."""
        assert block.box is not None
        magnitude = block.backend.to_numpy(block.magnitude)
        return compiled.Projection(
            name, magnitude, block.grid, block.box, nonnegative=block.nonnegative, beta=self._relaxation()
        )

    def _relaxation(self) -> float:
        return getattr(self, "beta", 0.0)

    def _constraints(self, block: Block) -> dict[str, Any]:
        """What the CUDA kernels are told of the object."""
        return {"box": block.box, "nonnegative": block.nonnegative}
