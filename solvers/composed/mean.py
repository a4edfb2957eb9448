"""The mean of the best starts of an image, each brought onto the best one by shift, conjugate flip and phase.

Under noise every start ends in a minimum of its own: they share the object, and differ in the noise that they fit, so
that their mean is nearer to the truth than any of them. Source: Shapiro et al., PNAS 102, 15343 (2005); Chapman et al.,
J. Opt. Soc. Am. A 23, 1179 (2006).

The mean also lies deeper in the basin of the object: what begins there ends, in nine images of ten, with a smaller
residual than the best of the starts. A generation is the mean of several that begin there, each disturbed in another
way. That generations begin with what the one before has found is an idea of Chen, Miao, Wang and Lee, Phys. Rev. B 76,
064113 (2007), who mix the best start with each other one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets import Measurement
from datasets.blocks import map_blocks
from datasets.photons import estimate_photons
from datasets.scaling import times_two_to_the
from solvers.base import Reconstruction, Refiner, Status, Streams
from solvers.composed.registration import TRANSFORMS, register
from solvers.composed.stages import better_of, having, merged
from solvers.iterative.guess import fitted
from solvers.iterative.units import normalised
from solvers.residual import magnitude_residual

# Tuned on training images.
WORST = 1.03  # times the smallest residual of an image: a start beyond that is in another basin
DISTURBED = 1.0  # noise that is added to a mean, over the root of how far apart the starts were
ENOUGH = 20  # photons for each pixel of the box: with fewer, what fits a mean better fits the noise better


class Leaders:
    """The starts of each image with the smallest residuals, up to so many of them, the best one first."""

    def __init__(self, images: int, count: int) -> None:
        self._count = count
        self._of: list[list[tuple[float, NDArray]]] = [[] for _ in range(images)]

    def add(self, rows: NDArray[np.int64], found: Reconstruction) -> None:
        """One more start of these images. One that has diverged leads nothing; of equal ones the earlier does."""
        for row, residual, image in zip(rows.tolist(), found.residual.tolist(), found.images, strict=True):
            if np.isfinite(residual):
                self._of[row] = sorted([*self._of[row], (residual, image)], key=lambda one: one[0])[: self._count]

    def near(self, row: int) -> list[NDArray]:
        """Those of an image whose residual is near the smallest."""
        leaders = self._of[row]
        return [image for residual, image in leaders if residual <= WORST * leaders[0][0]]


@dataclass(frozen=True)
class Averaged:
    """Reconstructions, and how far apart (B,) the starts are whose mean they are.

    That is their root mean square distance from the mean, over its norm; 0 where an image is no mean.
    """

    found: Reconstruction
    spread: NDArray[np.float64]


def averaged(found: Reconstruction, leaders: Leaders, measurement: Measurement, threads: int = 1) -> Averaged:
    """With the mean of its leaders for every image that no start has solved, and the residual of that mean."""
    images, residual, transforms = found.images.copy(), found.residual.copy(), found.transforms.copy()
    spread = np.zeros(len(measurement))
    unsolved = np.flatnonzero(having(found, Status.STOPPED))

    def average(block: slice) -> None:
        for row in unsolved[block].tolist():
            near = leaders.near(row)
            if len(near) > 1:
                first, *others = near
                moved = np.stack([first, *(register(first, image).image for image in others)])
                mean = moved.mean(axis=0)
                images[row], residual[row] = mean, _residual(mean, measurement[row : row + 1])
                spread[row] = np.linalg.norm(moved - mean) / (len(near) ** 0.5 * np.linalg.norm(mean))
                transforms[row] += (TRANSFORMS + 1) * len(others) + 1  # one for the way back, one for the residual

    map_blocks(average, len(unsolved), 1, threads)
    return Averaged(replace(found, images=images, residual=residual, transforms=transforms), spread)


def next_generation(
    last: Averaged, measurement: Measurement, stage: Refiner, count: int, rng: Streams, threads: int = 1
) -> Reconstruction:
    """The mean of so many passes through a stage that begin at a mean, each time disturbed; or it, if that fits better.

    Patterns with few photons are left alone. How many there are is told from the noise of a real object's pattern.

    Args:
        last: the mean, and by how much the starts were apart that it was of at first.
        rng: its first number is that of the first pass; each uses up as many as the stage does.
    """
    rows = np.flatnonzero((last.spread > 0) & having(last.found, Status.STOPPED))
    rows = rows[estimate_photons(measurement.intensities[rows]) >= ENOUGH * np.prod(measurement.object_shape)]
    if not len(rows):
        return last.found
    images, part, every = last.found.images[rows], measurement[rows], np.arange(len(rows))
    levels = DISTURBED * np.sqrt(last.spread[rows])
    leaders = Leaders(len(rows), count)
    best = None
    for number in range(count):
        streams = replace(rng, first=rng.first + number * stage.streams_used)
        one = stage.refine(_disturbed(images, levels, part, streams), part, streams)
        leaders.add(every, one)
        best = one if best is None else better_of(best, one, every)
    assert best is not None
    following = averaged(best, leaders, part, threads).found
    fits = following.residual < last.found.residual[rows]
    starts = last.found.starts.copy()
    starts[rows] = np.maximum(starts[rows], following.starts)
    return merged(last.found, following, rows, fits, starts)


def _disturbed(images: NDArray, levels: NDArray[np.float64], measurement: Measurement, rng: Streams) -> NDArray:
    """Images (B, m1, m2) in their boxes, with white noise there, of these levels (B,) relative to their pixels."""
    n1, n2 = measurement.object_shape
    disturbed = np.zeros_like(images)
    for row, (image, level, index) in enumerate(zip(images, levels, measurement.indices, strict=True)):
        support = None if measurement.support is None else measurement.support[row]
        inside = fitted(image, (n1, n2), real=True, support=support)
        stream = rng.generator(int(index)).spawn(1)[0]  # its parent and later children are the stage's
        noise = stream.standard_normal((n1, n2))
        pixel = np.linalg.norm(inside) / (n1 * n2) ** 0.5  # root mean square
        disturbed[row, :n1, :n2] = inside + level * pixel * (noise if support is None else noise * support)
    return disturbed


def _residual(image: NDArray, measurement: Measurement) -> float:
    """The magnitude residual of one image, as iterations measure it."""
    unit, part = normalised(measurement)
    scaled = times_two_to_the(image[None].astype(np.result_type(image, np.float64)), -unit)
    return float(magnitude_residual(scaled, part.intensities, real=part.real and not np.iscomplexobj(image))[0])
