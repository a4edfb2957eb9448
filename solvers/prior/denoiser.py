"""A denoiser for every noise level: the mean of all images that a noisy one can come from, learned from images.

Preconditioning and weights of the loss are those of Karras, Aittala, Aila and Laine, "Elucidating the design space of
diffusion-based generative models" (NeurIPS 2022, Table 1 and eq. 7):

    D(x; σ) = c_skip x + c_out F(c_in x; σ),    c_skip = σ_d² / (σ² + σ_d²),    c_out = σ σ_d / √(σ² + σ_d²),
    c_in = 1 / √(σ² + σ_d²),    loss = E[(σ² + σ_d²) / (σ σ_d)² ‖D(x + σ n; σ) − x‖²],    n white and normal.

F is a small U-Net. It works on folded images (2×2 pixels become channels), which loses nothing and costs a quarter.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from solvers.learned.network import Learner

MARGIN = 3  # pixels of zeros on each side of an object, at least
NORM = 28.0  # ‖x‖ of every image that the network sees: a 28×28 tile has pixels of mean square 1
SIGMAS = (0.002, 1.0)  # noise levels that it is trained on, in these units; log σ is uniform
DATA_SIGMA = 0.5  # σ_d


@dataclass(frozen=True)
class Architecture:
    """What decides the shapes of the weights.

    Attributes:
        widths: channels of the levels, finest first; each level halves the resolution of the one before.
        features: of the noise level.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    features: int = 64


class Denoiser(Learner):
    """(batch, h, w) → (batch, h, w); sides are multiples of `stride`."""

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__()
        self.architecture = architecture or Architecture()
        self.net = Backbone(self.architecture)
        for parameter in self.net.parameters():
            if parameter.ndim == 4:  # torch convolves channels-last images fastest with channels-last weights
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    @property
    def stride(self) -> int:
        """What the sides of an image must be multiples of."""
        return 2 ** len(self.architecture.widths)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoised images of ‖x‖ = NORM about; sigma (batch,) is the standard deviation of each image's noise."""
        s = sigma[:, None, None]
        total = s**2 + DATA_SIGMA**2
        folded = nn.functional.pixel_unshuffle((x * total.rsqrt())[:, None], 2)
        raw = self.net(folded.contiguous(memory_format=torch.channels_last), sigma.log()).float()
        drawn = nn.functional.pixel_shuffle(raw, 2)[:, 0]
        return x * (DATA_SIGMA**2 / total) + drawn * (s * DATA_SIGMA * total.rsqrt())

    def loss(self, noisy: Tensor, sigma: Tensor, objects: Tensor) -> Tensor:
        s = sigma[:, None, None]
        error = (self(noisy, sigma) - objects).square()
        return (error * (s**2 + DATA_SIGMA**2) / (s * DATA_SIGMA) ** 2).mean()

    def reconstruct(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        return self(noisy, sigma)

    def ends(self) -> tuple[nn.Module, ...]:
        return self.net.stem, self.net.head, self.net.level

    def shapes(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self.architecture)))

    def field(self, frame: tuple[int, int]) -> tuple[int, int]:
        """The smallest image in which this network sees a frame with a margin."""
        rows, columns = (-(-(n + 2 * MARGIN) // self.stride) * self.stride for n in frame)
        return rows, columns


def normalised(objects: Tensor) -> Tensor:
    """With the norm that the network is used to; zeros stay zeros."""
    norm = torch.linalg.vector_norm(objects, dim=(1, 2), keepdim=True)
    return objects * (NORM / torch.where(norm > 0, norm, 1))


def noise_level(share: float) -> float:
    """The noise level at this share of the way, from 0 to 1, even in the logarithm."""
    low, high = map(math.log, SIGMAS)
    return math.exp(low + share * (high - low))


class Backbone(nn.Module):
    """F: a U-Net (Ronneberger, Fischer and Brox, 2015) whose blocks are residual and know the noise level."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        widths, features = architecture.widths, architecture.features
        steps = list(pairwise(widths))
        self.level = NoiseLevel(features)
        self.stem = nn.Conv2d(4, widths[0], 3, padding=1)
        self.down = nn.ModuleList(Block(w, w, features) for w in widths[:-1])
        self.narrow = nn.ModuleList(nn.Conv2d(w, v, 2, stride=2) for w, v in steps)
        self.middle = Block(widths[-1], widths[-1], features)
        self.widen = nn.ModuleList(nn.ConvTranspose2d(v, w, 2, stride=2) for w, v in steps)
        self.up = nn.ModuleList(Block(2 * w, w, features) for w in widths[:-1])
        self.head = nn.Conv2d(widths[0], 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        level = self.level(log_sigma)
        x = self.stem(x)
        skips = []
        for block, narrow in zip(self.down, self.narrow, strict=True):
            x = block(x, level)
            skips.append(x)
            x = narrow(x)
        x = self.middle(x, level)
        for block, widen, skip in reversed(list(zip(self.up, self.widen, skips, strict=True))):
            x = block(torch.cat([widen(x), skip], dim=1), level)
        return self.head(x)


class NoiseLevel(nn.Module):
    """Features (batch, features) of log σ: waves of four octaves, and a layer on top."""

    frequencies: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2 ** torch.linspace(-2, 2, features // 2), persistent=False)
        self.mix = nn.Linear(features, features)

    def forward(self, log_sigma: Tensor) -> Tensor:
        angle = log_sigma[:, None] * self.frequencies
        return nn.functional.silu(self.mix(torch.cat([angle.sin(), angle.cos()], dim=1)))


class Block(nn.Module):
    """Two 3×3 convolutions around a shortcut; between them, the noise level scales and shifts every channel."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulate = nn.Linear(features, 2 * outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        scale, shift = self.modulate(level)[:, :, None, None].chunk(2, dim=1)
        y = self.first(nn.functional.relu(self.norm(x)))
        return self.shortcut(x) + self.second(nn.functional.relu(y * (1 + scale) + shift))
