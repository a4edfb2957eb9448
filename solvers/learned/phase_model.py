"""The model of U-Net-A: unit phases from intensities, and the image by inversion with the measured magnitudes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from solvers.learned.model import RetrievalModel, half_plane_weights, intensities, norm


class PhaseModel(RetrievalModel):
    """Phases e^{iφ} of the canonical object; the reconstruction is F⁻¹(√Y e^{iφ}).

    The network draws an image of which only the Fourier phases are used: shape, edges and position are local in the
    image, while a shift by one pixel changes every phase.

    The loss of a drawing Z has two terms, both relative and both in the units of the score:

    * 2 − 2 Σ|F|² cos(φ − φ*) / Σ|F|². By Parseval this is ‖F⁻¹(|F|e^{iφ}) − X‖² / ‖X‖², the error of the
      reconstruction itself. Phases where there is no light cost nothing, and no phase is ever unwrapped.
    * ‖Z − X‖² / ‖X‖², which ties its otherwise free magnitudes. Near |FZ| = 0, where a phase has no gradient worth
      following, this is what moves the network.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(outputs=1, plane=False, **options)

    def drawn(self, half: Tensor, photons: Tensor | None) -> Tensor:
        """The drawn image (batch, 32, 32), for objects of unit norm.

        It has room for a centred content of 28×28 pixels, and for either rounding of its centre.
        """
        return self.output(half, photons)[:, 0]

    def phases(self, half: Tensor, photons: Tensor | None) -> Tensor:
        """Unit phases on the half plane (batch, m1, m2 // 2 + 1)."""
        return unit(self.spectrum(self.drawn(half, photons)))

    def loss(self, half: Tensor, photons: Tensor | None, objects: Tensor) -> Tensor:
        objects = objects / norm(objects)
        truth = self.spectrum(objects)
        drawn = self.drawn(half, photons)
        image_error = (drawn - objects).square().sum(dim=(1, 2))
        return (phase_error(unit(self.spectrum(drawn)), truth, self.grid[1]) + image_error).mean()

    def reconstruct(self, half: Tensor, photons: Tensor | None = None) -> Tensor:
        return invert(self.phases(half, photons), half, self.grid)

    def project(self, images: Tensor) -> Tensor:
        """Nonnegative, and nothing outside of the window that the network draws in."""
        side = self.architecture.size
        inside = torch.zeros_like(images)
        inside[:, :side, :side] = super().project(images[:, :side, :side])
        return inside


class PlanePhaseModel(RetrievalModel):
    """The paper's reading: a network on the Fourier plane predicts the m1×m2 phases directly, as (cos, sin) pairs.

    The origin of the phases is the centre of the object, as symmetry breaking has it. The paper names no loss; this
    is the first term of `PhaseModel`, which needs none of the predicted pairs to be of unit length.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(outputs=8, plane=True, **options)

    def phases(self, half: Tensor, photons: Tensor | None) -> Tensor:
        """Unit phases on the half plane (batch, m1, m2 // 2 + 1)."""
        pairs = torch.fft.ifftshift(nn.functional.pixel_shuffle(self.output(half, photons), 2), dim=(-2, -1))
        whole = torch.complex(pairs[:, 0].contiguous(), pairs[:, 1].contiguous())
        # The image is real: the prediction for -k is one more prediction for k.
        mirrored = whole.flip((-2, -1)).roll((1, 1), (-2, -1)).conj()
        return unit((whole + mirrored)[..., : self.grid[1] // 2 + 1])

    def loss(self, half: Tensor, photons: Tensor | None, objects: Tensor) -> Tensor:
        origin_first = objects.new_zeros(len(objects), *self.grid)
        rows, columns = objects.shape[1:]
        origin_first[:, :rows, :columns] = objects
        truth = self.spectrum(origin_first.roll((-(rows // 2), -(columns // 2)), (1, 2)))
        return phase_error(self.phases(half, photons), truth, self.grid[1]).mean()

    def reconstruct(self, half: Tensor, photons: Tensor | None = None) -> Tensor:
        return invert(self.phases(half, photons), half, self.grid)


def unit(z: Tensor) -> Tensor:
    """z / |z|, smooth at zero."""
    return z * torch.rsqrt(intensities(z) + 1e-8)


def phase_error(phases: Tensor, truth: Tensor, m2: int) -> Tensor:
    """2 − 2 Σ|F|² cos(φ − φ*) / Σ|F|² (batch,), over the whole plane."""
    weights = half_plane_weights(m2, truth.device)
    size = intensities(truth).sqrt()
    agreement = size * (phases.real * truth.real + phases.imag * truth.imag)  # |F|² cos(φ − φ*)
    return 2 - 2 * (agreement * weights).sum(dim=(1, 2)) / (size.square() * weights).sum(dim=(1, 2))


def invert(phases: Tensor, half: Tensor, grid: tuple[int, int]) -> Tensor:
    """F⁻¹(√Y e^{iφ}), (batch, m1, m2)."""
    return torch.fft.irfft2(half.clamp(min=0).sqrt() * phases, s=grid)
