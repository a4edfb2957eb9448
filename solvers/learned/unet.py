"""The one network of both learned solvers: a U-Net (Ronneberger, Fischer and Brox, 2015) with a global middle.

Contracting path, expanding path, skip connections and two 3×3 convolutions a level are Ronneberger's. What differs:
the input is folded (2×2 pixels become channels), blocks are residual and normalised, and the coarsest level mixes
all positions with self-attention (Vaswani et al., 2017), because Y depends on all of X at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Architecture:
    """What decides the shapes of the weights: two networks with the same architecture can exchange them.

    Attributes:
        inputs, outputs: channels.
        size: pixels along a side of the input and the output.
        widths: channels of the levels, finest first; each level halves the resolution of the one before.
        mixers: attention blocks at the coarsest level.
        heads: attention heads.
    """

    inputs: int
    outputs: int
    size: int
    widths: tuple[int, ...] = (32, 64, 192)
    mixers: int = 3
    heads: int = 6


class UNet(nn.Module):
    """(batch, inputs, size, size) → (batch, outputs, size, size), float32, any content."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.stem = nn.Conv2d(a.inputs, a.widths[0], 3, padding=1)
        self.place = nn.Parameter(torch.zeros(1, a.widths[0], a.size, a.size))
        self.down = nn.ModuleList(Block(w, w) for w in a.widths[:-1])
        self.narrow = nn.ModuleList(
            nn.Conv2d(w, v, 2, stride=2) for w, v in zip(a.widths[:-1], a.widths[1:], strict=True)
        )
        coarse = a.size >> (len(a.widths) - 1)
        self.token_place = nn.Parameter(0.02 * torch.randn(1, coarse * coarse, a.widths[-1]))
        self.mix = nn.ModuleList(Mixer(a.widths[-1], a.heads) for _ in range(a.mixers))
        self.widen = nn.ModuleList(
            nn.ConvTranspose2d(v, w, 2, stride=2) for w, v in zip(a.widths[:-1], a.widths[1:], strict=True)
        )
        self.up = nn.ModuleList(Block(2 * w, w) for w in a.widths[:-1])
        self.head = nn.Conv2d(a.widths[0], a.outputs, 3, padding=1, bias=False)
        nn.init.normal_(self.head.weight, std=1e-3)  # an image of unit norm is small in every pixel

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x) + self.place
        skips = []
        for block, narrow in zip(self.down, self.narrow, strict=True):
            x = block(x)
            skips.append(x)
            x = narrow(x)
        x = self._mix(x)
        for block, widen, skip in reversed(list(zip(self.up, self.widen, skips, strict=True))):
            x = block(torch.cat([widen(x), skip], dim=1))
        return self.head(x)

    def _mix(self, x: Tensor) -> Tensor:
        batch, channels, rows, columns = x.shape
        tokens = x.permute(0, 2, 3, 1).reshape(batch, rows * columns, channels) + self.token_place
        for mixer in self.mix:
            tokens = mixer(tokens)
        return tokens.reshape(batch, rows, columns, channels).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Two 3×3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(nn.functional.relu(self.norm(x)))
        return self.shortcut(x) + self.second(nn.functional.relu(y))


class Mixer(nn.Module):
    """Self-attention over all positions, then a two-layer perceptron at each, both around a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm_perceptron = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        heads = (batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = self.query_key_value(self.norm_attention(x)).reshape(heads).permute(2, 0, 3, 1, 4)
        mixed = (
            nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, tokens, width)
        )
        x = x + self.project(mixed)
        return x + self.narrow(nn.functional.gelu(self.widen(self.norm_perceptron(x))))
