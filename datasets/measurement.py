"""What a solver is given: the intensities, and what it is allowed to know about the object. Never the object."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets import arrays
from datasets.blocks import map_blocks
from datasets.forward import check_shapes, forward
from datasets.scaling import exponents, largest_part, times_two_to_the
from datasets.streams import NOISE, split_code
from datasets.variants import GRID

_BLOCK = 16  # images that are hashed, or counted, by one thread
_MISSING = -(2**31)  # stands for an intensity that was not measured: no step is so large
_ROUNDINGS = 16  # units in the last place of an object's largest pixel by which another may seem negative


@dataclass(frozen=True)
class Measurement:
    """A batch of Fourier intensities with the public knowledge that comes with them.

    Lists and other real numbers are taken, and converted.

    Attributes:
        intensities: float64 (batch, m1, m2), zero frequency at [:, 0, 0]; NaN where nothing was measured. An image of
            which one is infinite, or negative, or more than half are missing, cannot be reconstructed.
        object_shape: (n1, n2); the object is zero outside the box [0, n1) × [0, n2).
        indices: int64 (batch,), each image's number in its data set. A name, by which random streams are
            keyed, so that an image's result does not depend on its neighbours in the batch.
        real: the objects are real-valued.
        nonnegative: bool (batch,), which of the objects are known to be nonnegative; a single answer is one for all.
        support: bool (batch, n1, n2), True where an object may differ from zero; one (n1, n2) is for all. None where
            nothing but the box is known.

    Raises:
        ValueError: something is not of this kind or shape, a support is empty, or the grid is smaller than the object.
    """

    intensities: NDArray[np.float64]
    object_shape: tuple[int, int]
    indices: NDArray[np.int64]
    real: bool = True
    nonnegative: NDArray[np.bool_] = True  # type: ignore[assignment]  # a single answer becomes an array below
    support: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        intensities = arrays.images("intensities", "(batch, m1, m2)", self.intensities, arrays.REAL)
        indices = arrays.indices(self.indices)
        if len(indices) != len(intensities):
            raise ValueError(f"{len(indices)} indices for {len(intensities)} images")
        object_shape = arrays.shape("object_shape", self.object_shape)
        support = _supports(self.support, (len(intensities), *object_shape))
        check_shapes(object_shape, arrays.shape("grid", intensities.shape[1:]), _extent(support))
        if not isinstance(self.real, bool | np.bool_):
            raise ValueError(f"real must be true or false, got {self.real!r}")
        nonnegative = np.asarray(self.nonnegative)
        if nonnegative.dtype != bool or nonnegative.shape not in ((), (len(intensities),)):
            raise ValueError(f"nonnegative must be true or false, for all or for each image, got {self.nonnegative!r}")
        accepted = {
            "intensities": intensities.astype(np.float64, copy=False),
            "object_shape": object_shape,
            "indices": indices,
            "real": bool(self.real),
            "nonnegative": np.broadcast_to(nonnegative, len(intensities)),
            "support": support,
        }
        for name, value in accepted.items():
            object.__setattr__(self, name, value)  # the way to change a frozen dataclass while it is made

    def __len__(self) -> int:
        return len(self.intensities)

    @property
    def grid(self) -> tuple[int, int]:
        """(m1, m2), the shape of the Fourier plane and of a reconstruction."""
        _, m1, m2 = self.intensities.shape
        return m1, m2

    def __getitem__(self, items: slice | NDArray) -> Measurement:
        return replace(
            self,
            intensities=self.intensities[items],
            indices=self.indices[items],
            nonnegative=self.nonnegative[items],
            support=None if self.support is None else self.support[items],
        )

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(batch, m1, m2) True where an intensity was measured."""
        return ~np.isnan(self.intensities)

    def whole(self) -> NDArray[np.bool_]:
        """(batch,) True where every intensity of an image was measured."""
        return np.asarray(self.measured.all(axis=(1, 2)))

    def valid(self) -> NDArray[np.bool_]:
        """(batch,) True for images that can be reconstructed: finite, nonnegative, not all zero, half of it there."""
        y, plane = self.intensities, (1, 2)
        missing = np.isnan(y)
        with np.errstate(invalid="ignore"):
            good = ((y >= 0) | missing).all(axis=plane) & ~np.isinf(y).any(axis=plane) & (y > 0).any(axis=plane)
        return np.asarray(good & (2 * missing.sum(axis=plane) <= missing[0].size if len(y) else good))

    def digests(self, threads: int = 1) -> list[str]:
        """SHA-256 of each image's measurement, in hexadecimal; `threads` blocks of images at a time.

        Intensities enter in steps of 2⁻²⁰ of their largest power of two, far above the rounding of any FFT
        library, so that the same measurement made on another machine has the same name.
        """
        blocks = map_blocks(
            lambda block: [self._digest(i) for i in range(block.start, block.stop)], len(self), _BLOCK, threads
        )
        return [digest for block in blocks for digest in block]

    def digest(self) -> str:
        """SHA-256 of the whole batch, in hexadecimal."""
        return hashlib.sha256("".join(self.digests()).encode()).hexdigest()

    def _digest(self, i: int) -> str:
        image = self.intensities[i]
        header = repr((self.object_shape, image.shape, self.real, bool(self.nonnegative[i]))).encode()
        if self.support is not None:
            header += np.packbits(self.support[i]).tobytes()
        missing = np.isnan(image)
        if missing.any():
            image = np.where(missing, 0, image)
        largest = float(np.abs(image).max(initial=0.0))
        if not np.isfinite(largest):
            return hashlib.sha256(header + self.intensities[i].tobytes()).hexdigest()
        exponent = int(exponents(largest))
        steps = np.rint(times_two_to_the(image, 20 - exponent)).astype("<i4")
        steps[missing] = _MISSING
        return hashlib.sha256(header + exponent.to_bytes(4, "little", signed=True) + steps.tobytes()).hexdigest()


def measure(
    objects: ArrayLike,
    *,
    indices: ArrayLike | None = None,
    grid: tuple[int, int] = GRID,
    photons: float | ArrayLike | None = None,
    mask: NDArray[np.bool_] | None = None,
    support: NDArray[np.bool_] | None = None,
    seed: int = 0,
    split: str = "test",
    threads: int = 1,
) -> Measurement:
    """Measure objects (batch, n1, n2), real or complex, by eq. 1.1 of the paper.

    A real object is known to be nonnegative where none of its pixels is below zero by more than the rounding errors
    of its largest one, in the precision of the objects.

    With `photons`, one number or one for each image, its intensities are Poisson counts with that many photons
    expected in all, scaled back to the units of the noiseless intensities. The counts are drawn once per image from
    (seed, split, index): every solver sees the same ones. An image without any light stays all zero.

    Where `mask` (m1, m2) is False nothing is measured, and the intensities are NaN. A `support` (n1, n2) or
    (batch, n1, n2) is told to solvers as it is.

    `threads` blocks of images are measured side by side, which changes nothing else.

    Raises:
        ValueError: objects, indices, photons or split are not what they should be, or the grid is too small.
    """
    objects = arrays.images("objects", "(batch, n1, n2)", objects)
    numbers = arrays.indices(np.arange(len(objects)) if indices is None else indices)
    if len(numbers) != len(objects):
        raise ValueError(f"{len(numbers)} indices for {len(objects)} images")
    intensities = forward(objects, grid, threads)
    if photons is not None:
        expected = np.asarray(photons, dtype=np.float64)
        if expected.shape not in ((), (len(objects),)) or not np.all(np.isfinite(expected) & (expected > 0)):
            raise ValueError(f"photons must be positive, one number or one for each image, got {photons}")
        each = np.broadcast_to(expected, len(objects))
        intensities = _poisson(intensities, each, numbers, seed, split, threads)
    if mask is not None:
        intensities[:, ~arrays.mask("mask", mask, intensities.shape[1:])] = np.nan
    real = not np.iscomplexobj(objects)
    return Measurement(
        intensities=intensities,
        object_shape=(objects.shape[1], objects.shape[2]),
        indices=numbers,
        real=real,
        nonnegative=_nonnegative(objects) if real else np.zeros(len(objects), dtype=bool),
        support=support,
    )


def _supports(given: ArrayLike | None, shape: tuple[int, int, int]) -> NDArray[np.bool_] | None:
    """One support for each image, of which none is empty."""
    if given is None:
        return None
    support = np.asarray(given)
    if support.dtype != bool or support.shape not in (shape, shape[1:]):
        raise ValueError(
            f"support must be true or false in the shape {shape} or {shape[1:]}, got {support.dtype} {support.shape}"
        )
    if not support.any(axis=(-2, -1)).all():
        raise ValueError("a support is empty: it must be true somewhere")
    return np.broadcast_to(support, shape)


def _extent(support: NDArray[np.bool_] | None) -> tuple[int, int] | None:
    """The most rows, and the most columns, from the first to the last one of a support (batch, n1, n2)."""
    if support is None or not len(support):
        return None
    spans = []
    for axis in (2, 1):
        taken = np.asarray(support.any(axis=axis))
        spans.append(int((taken.shape[1] - taken.argmax(axis=1) - taken[:, ::-1].argmax(axis=1)).max()))
    return spans[0], spans[1]


def _nonnegative(objects: NDArray) -> NDArray[np.bool_]:
    """(batch,) which real objects have no negative pixel, but for rounding errors."""
    if objects.dtype.kind in "bu":
        return np.ones(len(objects), dtype=bool)
    rounding = _ROUNDINGS * np.finfo(objects.dtype).eps if objects.dtype.kind == "f" else 0
    return np.asarray(objects.min(axis=(1, 2)) >= -rounding * largest_part(objects))


def _poisson(
    intensities: NDArray[np.float64],
    photons: NDArray[np.float64],
    indices: NDArray[np.int64],
    seed: int,
    split: str,
    threads: int,
) -> NDArray[np.float64]:
    noisy = np.empty_like(intensities)

    def count(block: slice) -> None:
        for counts, expected, light, index in zip(
            noisy[block], intensities[block], photons[block], indices[block], strict=True
        ):
            rng = np.random.default_rng([seed, split_code(split), int(index), NOISE])
            exponent = exponents(expected.max())
            relative = times_two_to_the(expected, -exponent)
            total = relative.sum()
            seen = rng.poisson(relative * (light / total)) * (total / light) if total > 0 else relative
            counts[:] = times_two_to_the(seen, exponent)

    map_blocks(count, len(noisy), _BLOCK, threads)
    return noisy
