"""What a network sees of the intensities: an image-like input in which the inversion is as local as it can be.

Y itself is a poor input for convolutions: every pixel of X enters every coefficient of Y. Its inverse transform is
the autocorrelation of X, where the extent, the edges and the repetitions of X are visible as such. All encodings
are free of scale (X and 2X look the same) and take the half plane (batch, m1, m2 // 2 + 1) of the centrosymmetric
intensities of a real image, zero frequency first, float32.
"""

from __future__ import annotations

import torch
from torch import Tensor

AUTOCORRELATION_WINDOW = 64  # contains the autocorrelation of a 28×28 content, which is 55×55

# Measured root mean squares over Fashion-MNIST: brings the channels to unit size.
_SCALES = (0.18, 0.28, 0.040)


def image_space(half: Tensor, m2: int) -> Tensor:
    """(batch, 3, 64, 64) around the origin: autocorrelation F⁻¹Y, its signed square root, and F⁻¹√Y.

    F⁻¹√Y is the reconstruction with all phases zero: sharper than the autocorrelation, as its spectrum falls off
    half as fast. The first two are divided by the value at the origin, ‖X‖²; the last by its own, but with the
    origin, which is far above the rest, set to zero.
    """
    grid = (half.shape[-2], m2)
    autocorrelation = torch.fft.irfft2(half, s=grid)
    zero_phase = torch.fft.irfft2(half.clamp(min=0).sqrt(), s=grid)
    autocorrelation = autocorrelation / autocorrelation[:, :1, :1].clamp(min=torch.finfo(half.dtype).tiny)
    zero_phase = zero_phase / zero_phase[:, :1, :1].clamp(min=torch.finfo(half.dtype).tiny)
    zero_phase[:, 0, 0] = 0
    root = autocorrelation.sign() * autocorrelation.abs().sqrt()
    channels = [c / s for c, s in zip((autocorrelation, root, zero_phase), _SCALES, strict=True)]
    return window(torch.stack(channels, dim=1), AUTOCORRELATION_WINDOW)


def log_plane(half: Tensor, m2: int) -> Tensor:
    """(batch, 1, m1, m2): log-magnitudes on the whole plane, zero frequency in the middle.

    Magnitudes relative to the zero frequency span five orders; log(1e-3 + ·) spreads them evenly.
    """
    whole = expand(half, m2)
    relative = (whole / whole[:, :1, :1].clamp(min=torch.finfo(half.dtype).tiny)).clamp(min=0).sqrt()
    return torch.fft.fftshift((torch.log(relative + 1e-3) + 4.3)[:, None], dim=(-2, -1))


def window(images: Tensor, size: int) -> Tensor:
    """The size × size pixels (size even) around the origin of a periodic image, origin at (size // 2, size // 2)."""
    return torch.fft.fftshift(images, dim=(-2, -1))[
        ...,
        images.shape[-2] // 2 - size // 2 : images.shape[-2] // 2 + size // 2,
        images.shape[-1] // 2 - size // 2 : images.shape[-1] // 2 + size // 2,
    ]


def expand(half: Tensor, m2: int) -> Tensor:
    """Whole plane (…, m1, m2) of a Hermitian half plane (…, m1, m2 // 2 + 1); symmetric if it is real."""
    mirrored = half[..., 1 : (m2 + 1) // 2].flip((-2, -1)).roll(1, -2).conj()
    return torch.cat([half, mirrored], dim=-1)
