"""The pictures of a finished run: reconstructions that were kept, each beside its truth.

    for picture in kept_pictures(Path("runs/first")):
        picture.solver, picture.image, picture.error, picture.truth, picture.reconstruction

Nothing is solved and no data set is read: true objects are stored with a run once its shards are done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import RequestError, one_line
from bench.report.finished import read_table, with_canonical_labels
from bench.report.settings import problem_of
from bench.sweep.pictures import COLUMNS, no_pictures, true_pictures, unpacked
from bench.sweep.rows import check_rows
from bench.sweep.shard import Outcome
from datasets import ImageSet, PatternSet
from datasets.problem import Problem

PICTURES = "pictures.parquet"


@dataclass(frozen=True)
class Picture:
    """What one solver made of one image.

    Attributes:
        problem, solver, seed, image: as in the columns of the row; `solver` is a canonical label.
        truth: (n1, n2), the object in its frame; float32, or complex64 for complex objects. None where nobody knows it.
        reconstruction: (n1, n2), registered to the truth: shifted, turned and scaled onto it, cut to the frame. It has
            the type of the truth, and the eleven bits of float16. All NaN where the solver gave no finite image. Where
            nobody knows the truth, the frame is that of the box that held the object.
        error: the `mse` of its row, from 0 to 1: what the tables count, computed from the unrounded image. NaN where
            nobody knows the truth.
    """

    problem: Problem
    solver: str
    seed: int
    image: int
    truth: NDArray | None
    reconstruction: NDArray
    error: float


def kept_pictures(folder: Path) -> Iterator[Picture]:
    """The pictures of the run in this folder, in the order of its rows: by problem, solver, seed and image.

    A solver that failed on an image has no picture of it. An iterator: pictures are unpacked one by one.

    Raises:
        RequestError: at the first step; there is no finished run, it keeps no pictures, or a file is damaged.
    """
    table = read_pictures(folder)
    truths = {}
    for line in table[table["solver"] == ""].to_dict("records"):
        place, truth = _unpacked(line, folder)
        truths[place] = truth
    for line in table[table["solver"] != ""].to_dict("records"):
        place, reconstruction = _unpacked(line, folder)
        if place not in truths and not math.isnan(line["mse"]):
            raise RequestError(f"'{folder / PICTURES}' is damaged: it has no truth of image {line['image']}")
        problem, seed, image = place
        yield Picture(
            problem, str(line["solver"]), seed, image, truths.get(place), reconstruction, float(line["mse"])
        )  # fmt: skip


def read_pictures(folder: Path) -> pd.DataFrame:
    """The pictures of a finished run as they are stored (`bench.sweep.pictures`); the true objects have no solver.

    Raises:
        RequestError: as `kept_pictures`.
    """
    table = read_table(folder, PICTURES, "no pictures: --keep 12 in its command stores those of the first 12 images")
    check_rows(table, folder / PICTURES, COLUMNS)
    return with_canonical_labels(table)


def gather_pictures(
    outcomes: Sequence[Outcome],
    problems: Sequence[Problem],
    seeds: Sequence[int],
    kept: Sequence[int],
    images: ImageSet | PatternSet,
) -> pd.DataFrame:
    """The pictures of a whole run: of the images that are kept, the truth first where it is known. Shards may have more
    of them."""
    if not kept:
        return no_pictures()
    indices = np.array(kept, dtype=np.int64)
    truths = [
        true_pictures(problem, seed, indices, problem.objects(images, indices, seed))
        for problem in problems
        for seed in seeds
        if isinstance(images, ImageSet)
    ]
    found = [outcome.pictures[outcome.pictures["image"].isin(kept)] for outcome in outcomes if len(outcome.pictures)]
    return pd.concat([*truths, *found], ignore_index=True)


def _unpacked(line: dict, folder: Path) -> tuple[tuple[Problem, int, int], NDArray]:
    """What a picture shows: problem, seed and number of the image; and its pixels."""
    try:
        problem = problem_of(line)
        image = unpacked(line["pixels"], int(line["exponent"]), problem.frame)
    except (TypeError, ValueError) as error:
        raise RequestError(f"'{folder / PICTURES}' is damaged: image {line['image']}: {one_line(error)}") from error
    return (problem, int(line["seed"]), int(line["image"])), image
