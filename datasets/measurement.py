"""What a solver is given: the intensities, and what it is allowed to know about the object. Never the object."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.blocks import map_blocks
from datasets.forward import check_shapes, forward
from datasets.streams import NOISE, split_code
from datasets.variants import GRID

_BLOCK = 16  # images that are hashed, or counted, by one thread


@dataclass(frozen=True)
class Measurement:
    """A batch of Fourier intensities with the public knowledge that comes with them.

    Attributes:
        intensities: float64 (batch, m1, m2), zero frequency at [:, 0, 0]; NaN where a detector failed.
        object_shape: (n1, n2); the object is zero outside the box [0, n1) × [0, n2).
        indices: int64 (batch,), each image's number in its data set. A name, by which random streams are
            keyed, so that an image's result does not depend on its neighbours in the batch.
        real: the object is real-valued.
        nonnegative: the object is nonnegative.
    """

    intensities: NDArray[np.float64]
    object_shape: tuple[int, int]
    indices: NDArray[np.int64]
    real: bool = True
    nonnegative: bool = True

    def __post_init__(self) -> None:
        if self.intensities.ndim != 3:
            raise ValueError(f"intensities must be (batch, m1, m2), got shape {self.intensities.shape}")
        if len(self.indices) != len(self.intensities):
            raise ValueError(f"{len(self.indices)} indices for {len(self.intensities)} images")
        check_shapes(self.object_shape, self.grid)

    def __len__(self) -> int:
        return len(self.intensities)

    @property
    def grid(self) -> tuple[int, int]:
        """(m1, m2), the shape of the Fourier plane and of a reconstruction."""
        _, m1, m2 = self.intensities.shape
        return m1, m2

    def __getitem__(self, items: slice | NDArray) -> Measurement:
        return replace(self, intensities=self.intensities[items], indices=self.indices[items])

    def valid(self) -> NDArray[np.bool_]:
        """(batch,) True where an image can be reconstructed: finite, nonnegative, and not all zero."""
        y, plane = self.intensities, (1, 2)
        with np.errstate(invalid="ignore"):
            good = np.isfinite(y).all(axis=plane) & (y >= 0).all(axis=plane) & (y > 0).any(axis=plane)
        return np.asarray(good)

    def digests(self, threads: int = 1) -> list[str]:
        """SHA-256 of each image's measurement, in hexadecimal; `threads` blocks of images at a time.

        Intensities enter in steps of 2⁻²⁰ of their largest power of two, far above the rounding of any FFT
        library, so that the same measurement made on another machine has the same name.
        """
        blocks = map_blocks(
            lambda block: [self._digest(image) for image in self.intensities[block]], len(self), _BLOCK, threads
        )
        return [digest for block in blocks for digest in block]

    def digest(self) -> str:
        """SHA-256 of the whole batch, in hexadecimal."""
        return hashlib.sha256("".join(self.digests()).encode()).hexdigest()

    def _digest(self, image: NDArray[np.float64]) -> str:
        header = repr((self.object_shape, image.shape, self.real, self.nonnegative)).encode()
        largest = float(np.abs(image).max(initial=0.0))
        if not np.isfinite(largest):
            return hashlib.sha256(header + image.tobytes()).hexdigest()
        exponent = math.frexp(largest)[1]
        steps = np.rint(_times_two_to_the(image, 20 - exponent)).astype("<i4")
        return hashlib.sha256(header + exponent.to_bytes(4, "little", signed=True) + steps.tobytes()).hexdigest()


def _times_two_to_the(image: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    if abs(exponent) < 1000:
        return image * math.ldexp(1.0, exponent)
    return np.ldexp(image, exponent)  # four times as slow, and right where the factor itself is not finite


def measure(
    objects: NDArray,
    *,
    indices: NDArray[np.int64] | None = None,
    grid: tuple[int, int] = GRID,
    photons: float | None = None,
    seed: int = 0,
    split: str = "test",
    threads: int = 1,
) -> Measurement:
    """Measure objects (batch, n1, n2), real or complex, by eq. 1.1 of the paper.

    With `photons`, each image's intensities are Poisson counts with that many photons expected in all, scaled
    back to the units of the noiseless intensities. The counts are drawn once per image from (seed, split,
    index): every solver sees the same ones. An image without any light stays all zero.

    `threads` blocks of images are measured side by side, which changes nothing else.
    """
    objects = np.asarray(objects)
    indices = np.arange(len(objects)) if indices is None else np.asarray(indices, dtype=np.int64)
    intensities = forward(objects, grid, threads)
    if photons is not None:
        if not (np.isfinite(photons) and photons > 0):
            raise ValueError(f"photons must be positive, got {photons}")
        intensities = _poisson(intensities, photons, indices, seed, split, threads)
    real = not np.iscomplexobj(objects)
    return Measurement(
        intensities=intensities,
        object_shape=(objects.shape[1], objects.shape[2]),
        indices=indices,
        real=real,
        nonnegative=real and bool((objects >= 0).all()),
    )


def _poisson(
    intensities: NDArray[np.float64],
    photons: float,
    indices: NDArray[np.int64],
    seed: int,
    split: str,
    threads: int,
) -> NDArray[np.float64]:
    noisy = np.empty_like(intensities)

    def count(block: slice) -> None:
        for counts, expected, index in zip(noisy[block], intensities[block], indices[block], strict=True):
            rng = np.random.default_rng([seed, split_code(split), int(index), NOISE])
            total = expected.sum()
            counts[:] = rng.poisson(expected * (photons / total)) * (total / photons) if total > 0 else 0.0

    map_blocks(count, len(noisy), _BLOCK, threads)
    return noisy
