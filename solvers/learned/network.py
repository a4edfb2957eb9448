"""A network as its training sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn


class Network(nn.Module, ABC):
    """A network with its loss, and with what measures the progress of its training.

    What a loss draws at random comes from torch's global generator, which the training seeds before every step.

    Attributes:
        architecture: a dataclass that decides the shapes of the weights.
    """

    architecture: Any

    @abstractmethod
    def loss(self, objects: Tensor) -> Tensor:
        """Mean loss (a scalar) on these objects (batch, h, w)."""

    @abstractmethod
    def ends(self) -> tuple[nn.Module, ...]:
        """The layers whose weights are not optimised as hidden ones are: the first and the last, for one."""

    @abstractmethod
    def answer(self, objects: Tensor) -> Tensor:
        """Images (batch, m1, m2), to be compared with objects (batch, n1, n2) of which it was given a measurement, or
        a copy with noise, that is the same whenever it is asked."""
