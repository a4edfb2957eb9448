"""What is to be recovered from what: the images, what is made of them, and how that is measured.

A problem is public: a solver may know all of it, and prepares itself for it. What is secret are the objects.
"""

from __future__ import annotations

import math
import re
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_serializer, field_validator, model_validator

from datasets.image_set import SPLITS, ImageSet
from datasets.measurement import Measurement, measure
from datasets.streams import PARTNER, split_code
from datasets.variants import FRAME, GRID, VARIANTS, place, placements

Size = tuple[int, int]

GIVEN = "given"  # a mask of measured patterns
LARGEST = 4096  # samples along an axis
FEWEST, MOST = 1e-12, 1e18  # photons; NumPy counts to 9e18

_SIZE = re.compile(r"\s*(\d{1,6})\s*(?:[x×]\s*(\d{1,6})\s*)?", re.ASCII)
_BEAMSTOP = re.compile(r"\s*(?:none|beamstop\s*\[\s*width\s*=\s*(\d{1,6})\s*\])\s*", re.ASCII)
_COMPLEX = re.compile(r"\s*complex\s*(?:\[\s*phase\s*=\s*([^\[\]]+?)\s*\])?\s*", re.ASCII)


class Problem(BaseModel):
    """The setting of a measurement. Its fields are columns of every row of a result.

    Attributes:
        dataset: label of the image set.
        split: train or test.
        object: `real`, the images themselves; or `complex[phase=…]`, whose magnitude is one image and whose phase
            another one, with the largest pixel of a data type standing for this angle.
        variant: where the tiles lie in the frame, and which way up.
        frame: (n1, n2); the object is zero outside.
        grid: (m1, m2), samples in the Fourier plane.
        photons: expected in all of a pattern; infinite where no noise is added.
        mask: what is not measured: `none`; `beamstop[width=…]`, a square around the zero frequency; or `given`, where
            each measured pattern says it by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = "fashion_mnist"
    split: str = "test"
    object: str = "real"
    variant: str = "shift_flip"
    frame: Size = FRAME
    grid: Size = GRID
    photons: float = math.inf
    mask: str = "none"

    @field_validator("variant", "split")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        choices = VARIANTS if info.field_name == "variant" else SPLITS
        if value not in choices:
            raise ValueError(f"unknown {info.field_name} '{value}': choose from {', '.join(choices)}")
        return value

    @field_validator("object")
    @classmethod
    def _object(cls, value: str) -> str:
        return object_label(value)

    @field_validator("mask")
    @classmethod
    def _mask(cls, value: str) -> str:
        return GIVEN if value.strip() == GIVEN else mask_label(_width(value))

    @field_validator("frame", "grid", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        return read_size(value)

    @field_validator("photons", mode="before")
    @classmethod
    def _photons(cls, value: Any) -> float:
        return read_photons(value)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for n, m in zip(self.frame, self.grid, strict=True):
            if m < n:
                raise ValueError(f"a grid of {show_size(self.grid)} cannot measure a frame of {show_size(self.frame)}")
        if self.beamstop > min(self.grid) // 2:
            raise ValueError(f"a beamstop of width {self.beamstop} is too wide for a grid of {show_size(self.grid)}")
        return self

    @field_serializer("frame", "grid")
    def _as_text(self, value: Size) -> str:
        return show_size(value)

    @field_serializer("photons")
    def _as_number(self, value: float) -> float | str:
        return value if math.isfinite(value) else "none"

    @property
    def phase(self) -> float | None:
        """The largest angle of complex objects; None for real ones."""
        return _phase(self.object)

    @property
    def beamstop(self) -> int:
        """The width of the square that is not measured."""
        return 0 if self.mask == GIVEN else _width(self.mask)

    def columns(self) -> dict[str, str | float | int]:
        """The setting as it stands in tables: sizes as text, no noise as infinitely many photons."""
        return {**self.model_dump(), "photons": self.photons}

    def __str__(self) -> str:
        return self.words(COLUMNS)

    def briefly(self) -> str:
        """The variant, and what differs from the paper's setting."""
        usual = Problem(variant=self.variant, dataset=self.dataset, frame=self.frame, grid=self.grid)
        other = tuple(name for name in COLUMNS if getattr(self, name) != getattr(usual, name))
        return self.words(("variant", *other))

    def words(self, names: tuple[str, ...]) -> str:
        """Some of the setting in words that are understood by themselves."""
        say = {
            "frame": f"frame {show_size(self.frame)}",
            "grid": f"grid {show_size(self.grid)}",
            "photons": f"{shortest(self.photons)} photons" if math.isfinite(self.photons) else "no noise",
            "mask": {mask_label(0): "no mask", GIVEN: "a mask of its own"}.get(self.mask, self.mask),
        }
        return ", ".join(say.get(name, str(getattr(self, name))) for name in names)

    def check(self, images: ImageSet) -> None:
        """Whether these images make such a problem.

        Raises:
            ValueError: they do not fit into the frame, are complex where real ones or other phases are asked for, or
                have no mask that would be given.
        """
        if self.mask == GIVEN:
            raise ValueError(f"the mask '{GIVEN}' is that of measured patterns: images have none")
        if any(n < side for n, side in zip(self.frame, images.tile, strict=True)):
            raise ValueError(f"images of {show_size(images.tile)} do not fit into a frame of {show_size(self.frame)}")
        if self.object != "complex" and np.dtype(images.images.dtype).kind == "c":  # with phases of their own
            raise ValueError(f"the images of {self.dataset} are complex: ask for --objects complex")

    def objects(self, images: ImageSet, indices: NDArray[np.int64], seed: int) -> NDArray:
        """The true objects (N, n1, n2) with these numbers; the runner's secret.

        Raises:
            ValueError: as `check`.
        """
        self.check(images)
        tiles = images.tiles(indices)
        if self.phase is not None and not np.iscomplexobj(tiles):
            partners = images.tiles(partners_of(indices, len(images), seed, self.split))
            tiles = (tiles * np.exp(1j * self.phase * partners)).astype(np.result_type(tiles.dtype, np.complex64))
        where = placements(self.variant, seed=seed, split=self.split, indices=indices)
        return place(tiles, where, self.frame)

    def measure(self, objects: NDArray, indices: NDArray[np.int64], seed: int, threads: int = 1) -> Measurement:
        """The measurement of these objects: what a solver is given."""
        return measure(
            objects,
            indices=indices,
            grid=self.grid,
            photons=self.photons if math.isfinite(self.photons) else None,
            mask=beamstop_mask(self.grid, self.beamstop) if self.beamstop else None,
            seed=seed,
            split=self.split,
            threads=threads,
        )


COLUMNS = tuple(Problem.model_fields)


def partners_of(indices: NDArray[np.int64], count: int, seed: int, split: str) -> NDArray[np.int64]:
    """(N,) another image of the same set for each of these, whose values become its phases; itself where it is alone.

    The partner depends on (seed, split, index, count) alone.
    """
    draws = np.random.default_rng([seed, split_code(split), PARTNER]).random(int(indices.max(initial=-1)) + 1)
    away = 1 + np.floor(draws[indices] * max(count - 1, 1)).astype(np.int64)
    return (indices + away) % count


def read_size(value: Any) -> Size:
    """A size: `96` stands for 96×96, and `96x128` for 96 rows and 128 columns.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        rows, columns = int(match[1]), int(match[2] or match[1])
    elif isinstance(value, int) and not isinstance(value, bool):
        rows = columns = value
    elif isinstance(value, list | tuple) and len(value) == 2 and all(type(n) is int for n in value):
        rows, columns = value
    else:
        raise ValueError(f"'{value}' is no size: write 96, or 96x128 for rows and columns")
    if not 1 <= min(rows, columns) <= max(rows, columns) <= LARGEST:
        raise ValueError(f"a size of {rows}x{columns} is out of range: 1 to {LARGEST} along each axis")
    return rows, columns


def shortest(value: float) -> str:
    """A number in the fewest digits that are read as this one: 1e5 and not 1e+05, 1048576; `inf`."""
    digits = next(text for count in range(3, 18) if float(text := f"{value:.{count}g}") == value or count == 17)
    mantissa, _, exponent = digits.partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def show_size(value: Size) -> str:
    """A size in its one spelling: 96x128."""
    return f"{value[0]}x{value[1]}"


def read_photons(value: Any) -> float:
    """A number of photons, or `none` for no noise, which is as good as infinitely many.

    Raises:
        ValueError: it is no such number.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() == "none") or value == math.inf:
        return math.inf
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not FEWEST <= number <= MOST:
        raise ValueError(f"'{value}' is no number of photons: write none, or one from {FEWEST:g} to {MOST:g}")
    return number


def object_label(value: str) -> str:
    """What the objects are, in its one spelling: `real`, `complex`, or `complex[phase=1.5]`.

    Raises:
        ValueError: it is nothing of that.
    """
    if value.strip() == "real":
        return "real"
    angle = _phase(value)
    if angle is None:
        raise ValueError(f"unknown object '{value}': choose from real, complex, complex[phase=1.5]")
    return "complex" if angle == math.pi else f"complex[phase={angle!r}]"


def mask_label(beamstop: int) -> str:
    """How a mask is asked for."""
    return f"beamstop[width={beamstop}]" if beamstop else "none"


def beamstop_mask(grid: Size, width: int) -> NDArray[np.bool_]:
    """(m1, m2), True where something is measured: everywhere but in a square around the zero frequency at [0, 0].

    An even width leaves a row and a column more on the side of the positive frequencies.
    """
    inside = [np.isin((np.arange(m) + width // 2) % m, np.arange(width)) for m in grid]
    return ~np.logical_and.outer(*inside)


def _width(mask: str) -> int:
    match = _BEAMSTOP.fullmatch(mask)
    if match is None:
        raise ValueError(f"unknown mask '{mask}': choose from none, beamstop[width=3]")
    return int(match[1] or 0)


def _phase(value: str) -> float | None:
    match = _COMPLEX.fullmatch(value)
    if match is None:
        return None
    try:
        angle = math.pi if match[1] is None else float(match[1])
    except ValueError:
        angle = math.nan
    if not 0 < angle <= 2 * math.pi:
        raise ValueError(f"'{match[1]}' is no largest phase: write an angle above 0, up to 2π")
    return angle
