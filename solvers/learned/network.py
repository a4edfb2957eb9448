"""What is asked of a network that is trained, and of one that makes images of intensities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn


class Learner(nn.Module, ABC):
    """A network as its training sees it. What it is given is said by its solver, a `Trainable`."""

    @abstractmethod
    def loss(self, *args: Any, **kwargs: Any) -> Tensor:
        """Mean loss (a scalar) on a lesson of its solver."""

    @abstractmethod
    def reconstruct(self, *args: Any, **kwargs: Any) -> Tensor:
        """Images (batch, m1, m2) for a trial of its solver. An image must not depend on the others."""

    def ends(self) -> tuple[nn.Module, ...]:
        """The layers whose weights are not optimised as hidden ones are: the first and the last."""
        layers = [layer for layer in self.modules() if next(layer.parameters(recurse=False), None) is not None]
        return (layers[0], layers[-1]) if layers else ()

    def shapes(self) -> dict[str, Any]:
        """What decides the shapes of the weights, in JSON's types: networks that agree in it can exchange them."""
        return {name: list(t.shape) for name, t in self.state_dict().items()}


class Network(Learner):
    """From intensities to images, with the loss by which that is learned.

    Intensities enter as half planes (batch, m1, m2 // 2 + 1) of real objects, float32, zero frequency first, the
    brightest being 1; `encoding.expand` makes whole planes of them. With them come the photons (batch,) of each
    pattern, infinite or None where there is no noise. A network may ignore them. Several threads use a network at a
    time: `reconstruct` and `project` must leave it as it is.
    """

    @abstractmethod
    def loss(self, half: Tensor, photons: Tensor | None, objects: Tensor) -> Tensor:
        """Mean loss (a scalar) of predicting these objects (batch, h, w) from these intensities of theirs.

        The objects are in the very position and orientation that the network is to predict, and in the units of the
        intensities.
        """

    @abstractmethod
    def reconstruct(self, half: Tensor, photons: Tensor | None = None) -> Tensor:
        """Images (batch, m1, m2) for these intensities, in their units. An image must not depend on the others."""

    def project(self, images: Tensor) -> Tensor:
        """The nearest of the nonnegative images (batch, m1, m2) to these, which `reconstruct` has made.

        A network overrides this if it knows more of its objects, such as where they lie.
        """
        return images.clamp(min=0)
