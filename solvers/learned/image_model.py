"""The model of U-Net-B: the image from its intensities, as it was placed, with no symmetry broken (ref. [10])."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from solvers.errors import ParameterError
from solvers.learned.model import RetrievalModel, norm


class ImageModel(RetrievalModel):
    """The image in its frame (batch, n1, n2), squared error.

    The input is free of scale, so the network predicts images of unit norm; ‖X‖ is known from the intensities
    (Parseval), and the reconstruction is scaled back with it. The squared error is thus relative, like the score.
    """

    def __init__(self, frame: tuple[int, int] = (42, 42), plane: bool = False, **options: Any) -> None:
        super().__init__(outputs=4, plane=plane, **options)
        if max(frame) > 2 * self.architecture.size:
            raise ParameterError(
                f"this U-Net has no frame of {frame[0]}x{frame[1]}: at most {2 * self.architecture.size} pixels a side"
            )
        self.frame = frame

    def drawn(self, half: Tensor, photons: Tensor | None) -> Tensor:
        """The image (batch, n1, n2), of about unit norm."""
        wide = nn.functional.pixel_shuffle(self.output(half, photons), 2)[:, 0]
        top, left = ((have - want) // 2 for have, want in zip(wide.shape[1:], self.frame, strict=True))
        return wide[:, top : top + self.frame[0], left : left + self.frame[1]]

    def loss(self, half: Tensor, photons: Tensor | None, objects: Tensor) -> Tensor:
        return (self.drawn(half, photons) - objects / norm(objects)).square().sum(dim=(1, 2)).mean()

    def reconstruct(self, half: Tensor, photons: Tensor | None = None) -> Tensor:
        images = half.new_zeros(len(half), *self.grid)
        images[:, : self.frame[0], : self.frame[1]] = self.drawn(half, photons) * self.object_norm(half)
        return images
