"""Trained networks. A network of one's own is a `solvers.learned.network.Network`, and its solver a `LearnedSolver`.

It is not among what `solvers` exports: results of other solvers would depend on the code of networks.
"""

from solvers.learned.base import LearnedSolver

__all__ = ["LearnedSolver"]
