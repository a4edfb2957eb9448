"""Reconstructions that are kept to be looked at: registered to the truth, cut to its frame, in half precision.

A picture is a row: what a row of results is about, its error, and the pixels as bytes. They are float16, little-endian,
row by row, over 2^exponent, which brings the largest of them below 1; of complex images real and imaginary parts take
turns. An image that is not finite is kept as NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.score.metrics import Registration, registered
from bench.sweep.rows import IDENTITY
from datasets.problem import Problem
from datasets.scaling import exponents, largest_part, times_two_to_the

PIXELS = ["exponent", "pixels"]
COLUMNS = [*IDENTITY, "mse", *PIXELS]

HALF = np.dtype("<f2")


def no_pictures() -> pd.DataFrame:
    """A table of pictures without any."""
    return pd.DataFrame(columns=COLUMNS)


def pictures_of(
    rows: pd.DataFrame, truth: NDArray, images: NDArray, match: Registration, kept: Sequence[int]
) -> pd.DataFrame:
    """The pictures of those rows whose images are kept.

    Args:
        rows: of a shard, (B,).
        truth: (B, n1, n2).
        images: what the solver made of it, (B, m1, m2).
        match: where in them the truth was found.
        kept: numbers of images in their data set.
    """
    chosen = np.flatnonzero(rows["image"].isin(kept))
    if not len(chosen):
        return no_pictures()
    shown = registered(truth[chosen], images[chosen], match.take(chosen))
    return rows.iloc[chosen][[*IDENTITY, "mse"]].reset_index(drop=True).assign(**packed(shown))


def unregistered(rows: pd.DataFrame, images: NDArray, frame: tuple[int, int], kept: Sequence[int]) -> pd.DataFrame:
    """The same where nobody knows the objects: of each image the box at the origin, which holds the object, as it is.

    Args:
        rows, images, kept: as for `pictures_of`.
        frame: (n1, n2) of the box.
    """
    chosen = np.flatnonzero(rows["image"].isin(kept))
    if not len(chosen):
        return no_pictures()
    shown = images[chosen, : frame[0], : frame[1]]
    return rows.iloc[chosen][[*IDENTITY, "mse"]].reset_index(drop=True).assign(**packed(shown))


def true_pictures(problem: Problem, seed: int, indices: NDArray[np.int64], objects: NDArray) -> pd.DataFrame:
    """The true objects (N, n1, n2) as pictures: of no solver, no measurement, and without an error."""
    about = {**problem.columns(), "solver": "", "seed": seed, "image": indices, "measurement": "", "mse": 0.0}
    return pd.DataFrame({**about, **packed(objects)})


def packed(images: NDArray) -> dict[str, object]:
    """The columns `exponent` and `pixels` of images (N, n1, n2)."""
    finite = np.isfinite(images).all(axis=(1, 2))
    exponent = exponents(largest_part(np.where(finite[:, None, None], images, 0)))
    with np.errstate(invalid="ignore"):
        scaled = np.where(finite[:, None, None], times_two_to_the(images, -exponent), np.nan)
    parts = np.stack([scaled.real, scaled.imag], axis=-1) if np.iscomplexobj(images) else scaled
    return {"exponent": exponent, "pixels": [part.astype(HALF).tobytes() for part in parts]}


def unpacked(pixels: bytes, exponent: int, frame: tuple[int, int]) -> NDArray:
    """An image (n1, n2) of float32 or complex64; of wider range where that is too narrow for it.

    Raises:
        ValueError: the bytes are not those of such an image.
    """
    values = np.frombuffer(pixels, HALF).astype(np.float32)
    if values.size == 2 * frame[0] * frame[1]:
        values = values.view(np.complex64)
    image = values.reshape(frame)
    limits = np.finfo(np.float32)
    if not limits.minexp + limits.nmant < exponent < limits.maxexp:
        image = image.astype(np.result_type(image, np.float64))
    return times_two_to_the(image[None], np.array([exponent]))[0]
