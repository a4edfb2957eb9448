"""Crystals of atoms, in the manner of Elser, Lan and Bendory, "Benchmark problems for phase retrieval" (2018).

From their README and program (github.com/veitelser/phase-retrieval-benchmarks): the image is one period of 128×128
pixels with N atoms; N is 100, 140, … 400; the intensities of row 64 and column 64 are zero, and the one at [0, 0] is
not known; a solver may use that the image has at most 8 N pixels that are not zero, none of them negative.

From their table of iterations: the letter in a file's name is its difficulty. For the same N, RRR nearly always needs
more iterations on M than on E, and more on H than on M.

From their files data100E and data140M, which RRR solves in seconds, so that atoms can be fitted: half of the atoms
have the weight 1, half the weight 2; places are not bound to pixels, and no two atoms are closer than 3 pixels; the
Fourier transform of an atom of weight 1 at the origin is exp(−2π |k|² / 128²), a Gaussian with σ² = 1/π; what the
files hold are Poisson counts of these intensities, for N = 100 about 9e5 in all without [0, 0].

Chosen here: places are drawn uniformly, one after the other, and drawn again while closer than 3 pixels to an atom
that is there. The autocorrelation of such an image is as dense as that of data140M; that of data100E is sparser. How
the authors made an easy or a hard one is not known to us, so there is no parameter for the letter. `contrast` is ours:
it is the weight of the heavy atoms over that of the light ones, 2 in the files above. Noise and the unknown intensity
belong to the measurement and not to the image. Pixels are in units in which the peak of an atom of weight 2 is 1. Row
and column 64 of the Fourier plane are cut off as in the files: images are negative in places, where they have about
0.5% of their energy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from pydantic import Field

from datasets.image_set import ImageSet, ImageSource
from datasets.streams import ATOMS, split_code

PERIOD = 128  # pixels of an axis
CLOSEST = 3.0  # pixels between two atoms
_CONSTRUCTION = 1  # to be counted up when the same parameters give other images


class Atoms(ImageSource):
    """Periodic images of atoms that are drawn at random."""

    name: ClassVar[str] = "atoms"
    summary: ClassVar[str] = "crystals after Elser, Lan and Bendory: one period of 128×128 pixels with atoms in it"

    count: int = Field(100, ge=1, le=400, description="atoms in an image")
    contrast: float = Field(
        2.0, ge=1, le=10, description="weight of the heavy half of the atoms, the others being 1; 1 for equal atoms"
    )
    images: int = Field(1000, ge=1, le=1_000_000, description="images in each split")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="of the places")

    def read(self, split: str, folder: str | Path | None = None) -> ImageSet:
        self.refuse(folder)
        recipe = f"atoms {_CONSTRUCTION} {self.count} {self.images} {self.seed} {split_code(split)}"
        if self.contrast != 2:
            recipe += f" {self.contrast!r}"
        return ImageSet(
            name=self.label,
            split=split,
            images=Crystals(self.count, self.contrast, self.images, self.seed, split),
            labels=None,
            source="generated",
            digest=hashlib.sha256(recipe.encode()).hexdigest(),
            published_frame=(PERIOD, PERIOD),
            published_grid=(PERIOD, PERIOD),
        )


@dataclass(frozen=True)
class Crystals:
    """float32 (size, 128, 128), of which each image is made when it is asked for, from (seed, split, index) alone."""

    count: int
    contrast: float
    size: int
    seed: int
    split: str

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.size, PERIOD, PERIOD

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32)

    def __getitem__(self, items: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        indices = np.arange(self.size)[items]
        images = np.empty((len(indices), PERIOD, PERIOD), dtype=np.float32)
        for image, index in zip(images, indices, strict=True):
            rng = np.random.default_rng([self.seed, split_code(self.split), int(index), ATOMS])
            image[:] = density(places(self.count, rng), weights(self.count, self.contrast))
        return images


def places(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count, 2) row and column in [0, 128) of atoms that keep their distance, across the border too."""
    found = np.empty((count, 2))
    placed = 0
    while placed < count:
        place = PERIOD * rng.random(2)
        apart = np.abs(found[:placed] - place)
        if (np.square(np.minimum(apart, PERIOD - apart)).sum(axis=1) >= CLOSEST**2).all():
            found[placed] = place
            placed += 1
    return found


def weights(count: int, contrast: float) -> NDArray[np.float64]:
    """(count,) 1 for one half of the atoms and the contrast for the other; the odd one is light."""
    return np.where(np.arange(count) < (count + 1) // 2, 1.0, contrast)


def density(places: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(128, 128) the image of atoms at these places (N, 2), with these weights (N,)."""
    rows = np.fft.fftfreq(PERIOD, 1 / PERIOD)
    columns = np.fft.rfftfreq(PERIOD, 1 / PERIOD)
    waves = _waves(rows, places[:, 0]) * weights @ _waves(columns, places[:, 1]).T
    waves[PERIOD // 2] = 0
    waves[:, PERIOD // 2] = 0
    return scipy.fft.irfft2(waves, s=(PERIOD, PERIOD))


def _waves(frequencies: NDArray[np.floating], at: NDArray[np.float64]) -> NDArray[np.complex128]:
    """(K, N) Fourier transform of an atom in one dimension: exp(−2πi k x / 128) exp(−2π k² / 128²)."""
    turns = np.outer(frequencies, at) / PERIOD
    return np.exp(-2j * np.pi * turns) * np.exp(-2 * np.pi * np.square(frequencies / PERIOD))[:, None]
