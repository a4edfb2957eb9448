"""A network with its encoding: from intensities to the network's output, for both learned solvers."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from solvers.learned import encoding
from solvers.learned.network import Network
from solvers.learned.unet import Architecture, UNet

GRID = (96, 96)


class RetrievalModel(Network):
    """Encoding, U-Net and what its output means.

    Intensities enter as half planes (batch, m1, m2 // 2 + 1) of a real image, zero frequency first. Training hands
    over objects (batch, h, w) in the very position and orientation that the model is to predict.

    Attributes:
        plane: the network works on the Fourier plane (log-magnitudes) and not on the autocorrelation.
    """

    coordinates: Tensor  # (1, 2, size, size): where a pixel is, which a convolution cannot know

    def __init__(self, outputs: int, plane: bool, grid: tuple[int, int] = GRID, **widths: Any) -> None:
        super().__init__()
        self.grid = grid
        self.plane = plane
        side = grid[0] if plane else encoding.AUTOCORRELATION_WINDOW
        channels = 1 if plane else 3
        self.architecture = Architecture(inputs=4 * channels + 2, outputs=outputs, size=side // 2, **widths)
        self.unet = UNet(self.architecture)
        for parameter in self.unet.parameters():
            if parameter.ndim == 4:  # torch convolves channels-last images fastest with channels-last weights
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        axis = torch.linspace(-1, 1, side // 2)
        self.register_buffer(
            "coordinates", torch.stack(torch.meshgrid(axis, axis, indexing="ij"))[None], persistent=False
        )

    def output(self, half: Tensor) -> Tensor:
        """What the network says of these intensities: (batch, outputs, size, size).

        The input is folded, 2×2 pixels becoming channels: an autocorrelation is twice as wide as its object, so the
        folded input and the object are of one size, at a quarter of the cost.
        """
        encode = encoding.log_plane if self.plane else encoding.image_space
        folded = nn.functional.pixel_unshuffle(encode(half, self.grid[1]), 2)
        x = torch.cat([folded, self.coordinates.expand(len(half), -1, -1, -1)], dim=1)
        return self.unet(x.contiguous(memory_format=torch.channels_last)).float()

    def ends(self) -> tuple[nn.Module, nn.Module]:
        """The first and the last layer, whose weights are not optimised as hidden ones are."""
        return self.unet.stem, self.unet.head

    def spectrum(self, objects: Tensor) -> Tensor:
        """Oversampled spectrum of real objects: complex half plane (batch, m1, m2 // 2 + 1)."""
        return torch.fft.rfft2(objects, s=self.grid)

    def object_norm(self, half: Tensor) -> Tensor:
        """‖X‖ (batch, 1, 1), known from the intensities by Parseval."""
        energy = (half * half_plane_weights(self.grid[1], half.device)).sum(dim=(1, 2), keepdim=True)
        return (energy / (self.grid[0] * self.grid[1])).sqrt()

    def answer(self, objects: Tensor) -> Tensor:
        """What it makes of their intensities."""
        return self.reconstruct(intensities(self.spectrum(objects)))

    @abstractmethod
    def reconstruct(self, half: Tensor) -> Tensor:
        """Images (batch, m1, m2) for these intensities."""


def intensities(spectrum: Tensor) -> Tensor:
    """|F|², without the square root that `abs` would take."""
    return spectrum.real**2 + spectrum.imag**2


def norm(objects: Tensor) -> Tensor:
    """‖X‖ (batch, 1, 1)."""
    return objects.square().sum(dim=(1, 2), keepdim=True).sqrt()


def half_plane_weights(m2: int, device: torch.device) -> Tensor:
    """(m2 // 2 + 1,): how often each column of the half plane occurs in the whole plane."""
    weights = torch.full((m2 // 2 + 1,), 2.0, device=device)
    weights[0] = 1
    if m2 % 2 == 0:
        weights[-1] = 1
    return weights
