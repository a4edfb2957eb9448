"""A set of images, and where it comes from."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from datasets.source import Source

SPLITS = ("train", "test")

_WHITE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
DTYPES = (*_WHITE, *map(np.dtype, (np.float32, np.float64, np.complex64, np.complex128)))


class Images(Protocol):
    """What an image set has for images: an array (N, h, w), or something that makes those that are asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __getitem__(self, items: NDArray[np.int64] | slice, /) -> NDArray: ...


@dataclass(frozen=True)
class ImageSet:
    """One split of a set of images of one size.

    Attributes:
        name: the canonical label of what was really read ("sample" where Fashion-MNIST was not to be had).
        split: "train" or "test".
        images: (N, h, w) of uint8, uint16, float32, float64, complex64 or complex128.
        labels: (N,) a class for each image, or None.
        source: where it was read, in words.
        digest: SHA-256 of what decides every pixel, in hexadecimal: the content, wherever it lies.
        published_frame: the frame of published results on this set, if there are any.
        published_grid: their grid.
    """

    name: str
    split: str
    images: Images
    labels: NDArray | None
    source: str
    digest: str
    published_frame: tuple[int, int] | None = None
    published_grid: tuple[int, int] | None = None

    def __len__(self) -> int:
        return self.images.shape[0]

    @property
    def tile(self) -> tuple[int, int]:
        """(h, w) of every image."""
        _, h, w = self.images.shape
        return h, w

    @property
    def frame(self) -> tuple[int, int]:
        """(n1, n2) in which the images lie unless something else is asked for: the published one, or just the image."""
        return self.published_frame or self.tile

    @property
    def grid(self) -> tuple[int, int]:
        """(m1, m2) on which they are measured unless something else is asked for: the published one, or twice as
        fine as the frame, rounded up to where the FFT is fast."""
        n1, n2 = self.frame
        return self.published_grid or (fast_even(2 * n1), fast_even(2 * n2))

    def head(self, count: int | None) -> ImageSet:
        """The first so many images, all of them where there are fewer."""
        if count is None or count >= len(self):
            return self  # images that are made when they are asked for are not made now
        labels = None if self.labels is None else self.labels[:count]
        return replace(self, images=self.images[:count], labels=labels)

    def tiles(self, indices: NDArray[np.int64] | slice = slice(None)) -> NDArray:
        """The chosen images as floating-point numbers: uint8 / 255 and uint16 / 65535 as float32, others as they are.

        An image has the same values in whatever choice it is.
        """
        return as_floats(self.images[indices])


class ImageSource(Source):
    """Where images come from."""

    @abstractmethod
    def read(self, split: str, folder: str | Path | None = None) -> ImageSet:
        """The images of a split.

        Args:
            split: "train" or "test". No image of one is, or comes from, an image of the other.
            folder: where the files of a published set lie, if the user says so.

        Raises:
            DatasetError: something is missing, or is not what it should be.
            ValueError: there is no such split.
        """


def as_floats(images: NDArray) -> NDArray:
    """Images (N, h, w) as floating-point numbers: uint8 / 255 and uint16 / 65535 as float32, others as they are."""
    white = _WHITE.get(images.dtype)
    return images if white is None else images.astype(np.float32) / np.float32(white)


def fast_even(least: int) -> int:
    """The smallest even number that is at least this and has no prime factor above 5."""
    found = scipy.fft.next_fast_len(least, real=True)
    while found % 2:
        found = scipy.fft.next_fast_len(found + 1, real=True)
    return found


def digest_of(images: NDArray) -> str:
    """SHA-256 of images (N, h, w) in hexadecimal: of their type, their shape and every pixel."""
    portable = images.dtype.newbyteorder("<")
    found = hashlib.sha256(f"{portable.str} {images.shape}".encode())
    for image in images:
        found.update(np.ascontiguousarray(image, dtype=portable).data)
    return found.hexdigest()
