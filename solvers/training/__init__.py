"""Training of the learned solvers, and what a training loop of one's own needs."""

from solvers.training.own import save_weights, training_pairs

__all__ = ["save_weights", "training_pairs"]
