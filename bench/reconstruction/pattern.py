"""A measured pattern, made ready for a solver: counts in whatever orientation become intensities on a grid.

What is done to the numbers is said in words (`notes`), and so is what looks wrong (`warnings`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from bench.errors import RequestError
from datasets.arrays import not_zero
from datasets.counts import usable
from datasets.errors import DatasetError
from datasets.half_plane_file import is_half_plane, read_half_plane
from datasets.own_images import read_array
from datasets.pattern_set import PatternSet
from datasets.problem import LARGEST

Place = tuple[int, int]

CENTRES = ("auto", "corner", "middle")
BLUR = 1.0  # pixels: the brightest place is that of the blurred pattern, not a hot pixel
NEAR = 2  # pixels around the brightest place that must be measured, or else it is not the zero frequency
FAR = 1 / 16  # of the pattern: a centre that is so far from the brightest place looks wrong

_PLACE = re.compile(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*", re.ASCII)


@dataclass(frozen=True)
class Pattern:
    """A pattern as solvers take it.

    Attributes:
        intensities: float64 (m1, m2), zero frequency at [0, 0], NaN where nothing was measured.
        notes: what was done to the numbers, one sentence each.
        warnings: what looks wrong, with the option that mends it.
    """

    intensities: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def grid(self) -> Place:
        m1, m2 = self.intensities.shape
        return m1, m2


def read_pattern(path: str, which: int | None = None) -> tuple[NDArray, bool]:
    """The counts (rows, columns) in a file, and whether it is of a kind whose zero frequency is known to be at [0, 0].

    Args:
        which: of a stack of patterns (N, rows, columns).

    Raises:
        RequestError, DatasetError: the file cannot be read, or holds something else.
    """
    file = Path(path).expanduser()
    if file.is_file() and not file.suffix and is_half_plane(file):
        if which is not None:
            raise RequestError(f"--slice {which}: {path} holds one pattern")
        return read_half_plane(file), True
    array = read_array(path)
    if array.ndim == 3 and not len(array):
        raise DatasetError(f"{path} holds no pattern: its shape is {array.shape}")
    if array.ndim == 3 and len(array) == 1 and which is None:
        which = 0
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8:
        raise DatasetError(f"{path} has colours: a pattern has one channel")
    if array.ndim == 3 and which is None:
        raise RequestError(f"{path} holds {len(array)} patterns: choose one with --slice, 0 to {len(array) - 1}")
    if array.ndim == 3 and which is not None:
        if not 0 <= which < len(array):
            raise RequestError(f"--slice {which}: {path} holds {len(array)} patterns, 0 to {len(array) - 1}")
        array = array[which]
    elif which is not None:
        raise RequestError(f"--slice {which}: {path} holds one pattern of shape {array.shape}")
    if array.ndim != 2 or min(array.shape) < 2:
        raise RequestError(f"{path} has shape {array.shape}: a pattern is (rows, columns), a stack (N, rows, columns)")
    return array, False


def read_centre(text: str) -> str | Place:
    """Where the zero frequency is: a word of CENTRES, or ROW,COL.

    Raises:
        RequestError: it is none of them.
    """
    if text.strip() in CENTRES:
        return text.strip()
    match = _PLACE.fullmatch(text)
    if match is None:
        raise RequestError(f"--centre: '{text}' is no place: choose {', '.join(CENTRES)}, or write ROW,COL")
    return int(match[1]), int(match[2])


def measured_by(text: str, counts: NDArray) -> NDArray[np.bool_]:
    """Where counts were measured, by one `--mask`: nan, saturated, a value that is none, or a file.

    A file has the shape of the counts, and is not zero where something was measured.

    Raises:
        RequestError, DatasetError: it is nothing of that, or has another shape.
    """
    word = text.strip()
    if word == "nan":
        return ~np.isnan(counts) if counts.dtype.kind == "f" else np.ones(counts.shape, dtype=bool)
    if word == "saturated":
        return ~_saturated(counts)
    try:
        value = float(word)
    except ValueError:
        pass
    else:
        return counts != value
    try:
        mask = not_zero(text, read_array(text))
    except DatasetError as error:
        raise RequestError(f"--mask: {error} (choose from nan, saturated, a value, or a file)") from error
    except ValueError as error:
        raise RequestError(f"--mask: {error}") from error
    if mask.shape != counts.shape:
        raise RequestError(f"--mask {text} has the shape {mask.shape}, the pattern {counts.shape}")
    return mask


def prepare(
    counts: NDArray,
    *,
    masks: Sequence[NDArray[np.bool_]] = (),
    centre: str | Place = "auto",
    beamstop: float | None = None,
    crop: Place | None = None,
    bin: int = 1,
    real: bool = False,
) -> Pattern:
    """Intensities on a grid from counts (rows, columns).

    Args:
        masks: True where something was measured, each of the shape of the counts; NaN never was.
        centre: where the zero frequency is.
        beamstop: radius in pixels of a disc around it that was not measured.
        crop: rows and columns that are kept around it, before they are binned.
        bin: counts of so many rows and columns are added up.
        real: the object is known to be real, so that a centre one pixel off matters.

    Raises:
        RequestError: nothing, or less than half of it, was measured; infinite counts; a centre or a crop outside.
    """
    measured = np.ones(counts.shape, dtype=bool)
    for mask in masks:
        if mask.shape != counts.shape:
            raise RequestError(f"a mask has the shape {mask.shape}, the pattern {counts.shape}")
        measured &= mask
    try:
        y, note = usable(counts, measured)
    except ValueError as error:
        hint = ": leave them out with --mask inf" * str(error).endswith("infinite")
        raise RequestError(f"{error}{hint}") from error
    notes, warnings = [note] if note else [], []
    at, said = _centre(y, centre)
    notes.append(said)
    if warning := _looks_wrong(y, at, centre, real):
        warnings.append(warning)
    if beamstop is not None:
        y[_disc(y.shape, at, beamstop)] = np.nan
    y = _window(y, at, crop, bin)
    if max(y.shape) > LARGEST:
        raise RequestError(
            f"a pattern of {y.shape[0]}x{y.shape[1]} is too large, {LARGEST} along an axis at most: "
            "--crop keeps the middle, --bin adds counts up"
        )
    missing = np.isnan(y)
    if 2 * missing.sum() > missing.size:
        raise RequestError(
            f"{missing.mean():.0%} of the pattern was not measured or lies beyond its border: half of it is needed; "
            "--crop keeps the middle"
        )
    if not (y[~missing] > 0).any():
        raise RequestError("the pattern is dark: no count is above zero where something was measured")
    if missing.any():
        notes.append(f"{int(missing.sum())} of {missing.size} intensities not measured ({missing.mean():.2%})")
    return Pattern(scipy.fft.ifftshift(y), tuple(notes), tuple(warnings))


def _saturated(counts: NDArray) -> NDArray[np.bool_]:
    """The pixels at the largest number of their type, or else at a largest count that occurs more than once."""
    largest = np.nanmax(counts) if counts.dtype.kind == "f" else counts.max()
    top = counts == largest
    full = counts.dtype.kind in "iu" and largest == np.iinfo(counts.dtype).max
    return top if full or top.sum() > 1 else np.zeros(counts.shape, dtype=bool)


def _centre(y: NDArray[np.float64], centre: str | Place) -> tuple[Place, str]:
    """Row and column of the zero frequency, and how they were found."""
    m1, m2 = y.shape
    middle = (m1 // 2, m2 // 2)
    if isinstance(centre, tuple):
        if not (centre[0] < m1 and centre[1] < m2):
            raise RequestError(f"--centre {centre[0]},{centre[1]} lies outside the pattern of {m1}x{m2}")
        return centre, f"zero frequency at {_place(centre)}"
    if centre == "corner":
        return (0, 0), "zero frequency in the corner"
    if centre == "middle":
        return middle, f"zero frequency in the middle, {_place(middle)}"
    found = brightest(y)
    if _nearby(np.isnan(y), found).any():
        found = by_symmetry(y)
        return found, f"zero frequency taken at {_place(found)}, the centre of symmetry: the brightest place is masked"
    if _distance(found, (0, 0), y.shape) <= max(y.shape) * FAR:
        return (0, 0), "zero frequency taken in the corner, where the pattern is brightest"
    return found, f"zero frequency taken at {_place(found)}, where the pattern is brightest"


def brightest(y: NDArray[np.float64]) -> Place:
    """Row and column of the largest blurred count; the pattern may be periodic."""
    blurred = scipy.ndimage.gaussian_filter(np.nan_to_num(y), BLUR, mode="wrap")
    row, column = np.unravel_index(int(blurred.argmax()), y.shape)
    return int(row), int(column)


def by_symmetry(y: NDArray[np.float64]) -> Place:
    """The pixel through which the pattern is most like its own reflection, as that of a real object is."""
    root = np.sqrt(np.nan_to_num(y))
    twice = [2 * m for m in y.shape]
    z = scipy.fft.rfft2(root, s=twice)
    row, column = np.unravel_index(int(scipy.fft.irfft2(z * z, s=twice).argmax()), twice)
    return int(row) // 2, int(column) // 2


def _looks_wrong(y: NDArray[np.float64], at: Place, given: str | Place, real: bool) -> str:
    """What is wrong with a centre that was given; empty where it can be right, or is hidden."""
    if given == "auto" or _nearby(np.isnan(y), at).any():
        return ""
    found = brightest(y)
    away = _distance(found, at, y.shape)
    if away > max(y.shape) * FAR or (real and away >= 1):
        option = "corner" if _distance(found, (0, 0), y.shape) < 1 else f"{found[0]},{found[1]}"
        return (
            f"the zero frequency is said to be at {_place(at)}, but the pattern is brightest at {_place(found)}: "
            f"--centre {option} or --centre auto"
        )
    return ""


def doubts(patterns: PatternSet) -> list[str]:
    """What looks wrong with a set of patterns, one sentence each; of the centre, the first pattern tells."""
    if _looks_wrong(patterns.intensities[0], (0, 0), "corner", patterns.real):
        return [
            "the first pattern is brightest away from where its zero frequency is said to be: "
            "centre=corner or centre=middle in the label says where"
        ]
    return []


def _distance(one: Place, other: Place, shape: tuple[int, ...]) -> float:
    """Between two pixels, around the borders."""
    return math.hypot(*(min(abs(a - b), m - abs(a - b)) for a, b, m in zip(one, other, shape, strict=True)))


def _nearby(missing: NDArray[np.bool_], at: Place) -> NDArray[np.bool_]:
    """Which of the pixels around a place are missing."""
    rows, columns = (np.arange(n - NEAR, n + NEAR + 1) % m for n, m in zip(at, missing.shape, strict=True))
    return missing[np.ix_(rows, columns)]


def _disc(shape: tuple[int, ...], at: Place, radius: float) -> NDArray[np.bool_]:
    """The pixels up to a distance, around the borders."""
    rows, columns = (
        np.minimum(abs(np.arange(m) - n), m - abs(np.arange(m) - n)) for n, m in zip(at, shape, strict=True)
    )
    return np.hypot(rows[:, None], columns[None, :]) <= radius


def _window(y: NDArray[np.float64], at: Place, crop: Place | None, bin: int) -> NDArray[np.float64]:
    """The counts around a place, which goes to the middle; NaN beyond the border, unless the pattern is periodic."""
    if at == (0, 0):
        y, at = scipy.fft.fftshift(y), (y.shape[0] // 2, y.shape[1] // 2)
    if bin < 1:
        raise RequestError(f"--bin: {bin} is not positive")
    sizes = [size // bin for size in crop or y.shape]
    if crop is not None and any(size > m for size, m in zip(crop, y.shape, strict=True)):
        raise RequestError(f"--crop {crop[0]}x{crop[1]} is larger than the pattern of {y.shape[0]}x{y.shape[1]}")
    if min(sizes) < 2:
        given = [] if crop is None else [f"--crop {crop[0]}x{crop[1]}"]
        given += [f"--bin {bin}"] * (bin > 1 or not given)
        raise RequestError(f"{' and '.join(given)} leaves less than 2x2 of a pattern of {y.shape[0]}x{y.shape[1]}")
    out = np.full([size * bin for size in sizes], np.nan)
    ours, theirs = [], []
    for n, size, m in zip(at, sizes, y.shape, strict=True):
        first = n - bin * (size // 2) - bin // 2
        low, high = max(first, 0), min(first + size * bin, m)
        ours.append(slice(low - first, high - first))
        theirs.append(slice(low, high))
    out[tuple(ours)] = y[tuple(theirs)]
    return _binned(out, bin) if bin > 1 else out


def _binned(y: NDArray[np.float64], bin: int) -> NDArray[np.float64]:
    """Sums over bin × bin counts; those that are missing take the mean of the others, NaN where most are missing."""
    blocks = y.reshape(y.shape[0] // bin, bin, y.shape[1] // bin, bin)
    count = (~np.isnan(blocks)).sum(axis=(1, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = np.nansum(blocks, axis=(1, 3)) * bin**2 / count
    return np.where(2 * count >= bin**2, sums, np.nan)


def _place(at: Place) -> str:
    return f"row {at[0]}, column {at[1]}"
