"""The contract that every solver keeps, as checks of one solver where it is isolated.

Each check is a function that returns nothing, or raises `Breach` with the reason. None of them sees the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.executors.code import file_digests
from bench.sweep.solved import COUNTS
from datasets import Measurement
from datasets.problem import Problem
from solvers import Information, Reconstruction, Solver, Status, Streams
from solvers.errors import BrokenPluginError
from solvers.residual import magnitude_residual

IMAGES = 5  # of the measurement that the checks take
# Of the intensities, powers of four near these of ten: the images then get powers of two, which cost no rounding.
SCALES = tuple(4.0 ** round(decimal * math.log2(10) / 2) for decimal in (-30, -15, -3, 3, 15, 30))
ROUNDING = 1e-3  # largest ‖a − b‖ / ‖b‖ between two images that must be the same but for rounding
RESIDUAL = 0.01  # largest distance between a reported residual and its definition


class Breach(Exception):  # noqa: N818 - not an error of the program
    """A solver does not do what it promises; the message says in one line what it did instead."""


@dataclass(frozen=True)
class Case:
    """A prepared solver, what it is asked to reconstruct, and its answer."""

    solver: Solver
    problem: Problem
    measurement: Measurement
    found: Reconstruction

    def again(self, measurement: Measurement, seed: int = 0) -> Reconstruction:
        return self.solver.solve(measurement, Streams(seed))


def solves(case: Case) -> None:
    """It prepares itself and solves: there is a case."""


def shapes_and_types(case: Case) -> None:
    """Images (batch, m1, m2) of floating-point or complex numbers, and one number of everything else for each."""
    found, n = case.found, len(case.measurement)
    _require(isinstance(found, Reconstruction), f"solve() returned {type(found).__name__}, not a Reconstruction")
    _require(isinstance(found.images, np.ndarray), f"images are {type(found.images).__name__}, not a NumPy array")
    expected = (n, *case.measurement.grid)
    _require(found.images.shape == expected, f"images have the shape {found.images.shape} instead of {expected}")
    _require(found.images.dtype.kind in "fc", f"images are {found.images.dtype}, neither real nor complex floats")
    for name, kind, word in (("residual", "f", "floats"), *((name, "iu", "integers") for name in COUNTS)):
        values = getattr(found, name)
        _require(isinstance(values, np.ndarray), f"{name} is {type(values).__name__}, not a NumPy array")
        _require(values.shape == (n,), f"{name} has the shape {values.shape} instead of {(n,)}")
        _require(values.dtype.kind in kind, f"{name} is {values.dtype}: {word} are expected")
    _require(len(found.status) == n, f"status has {len(found.status)} values for {n} images")
    _require(isinstance(found.kernel, str), f"kernel is {type(found.kernel).__name__}, not text")
    strange = [status for status in found.status if status not in list(Status)]
    _require(not strange, f"unknown status '{strange[0]}'" if strange else "")


def finite(case: Case) -> None:
    """Images and residuals are finite, counts are not negative."""
    _require(bool(np.isfinite(case.found.images).all()), "images hold NaN or infinity")
    _require(bool(np.isfinite(case.found.residual).all()), "residuals hold NaN or infinity")
    for name in COUNTS:
        _require(bool((getattr(case.found, name) >= 0).all()), f"{name} holds negative numbers")


def residual_by_definition(case: Case) -> None:
    """The residual is ‖|FX| − √Y‖ / ‖√Y‖ of the images that are returned."""
    _true_residual(case.found, case.measurement)


def declares_information(case: Case) -> None:
    """It says what it uses besides the intensities, and uses nothing else of what is public."""
    declared = case.solver.information()
    _require(isinstance(declared, Information), f"information() returned {type(declared).__name__}, not Information")
    used = declared.on(case.measurement)
    if not used.real:
        other = case.again(replace(case.measurement, real=False))
        _same(other, case.found, "does not declare that objects are real, but uses it")
    if not used.nonnegative:
        unknown = np.zeros(len(case.measurement), dtype=bool)
        other = case.again(replace(case.measurement, nonnegative=unknown))
        _same(other, case.found, "does not declare nonnegativity, but uses it")
    if used.support == "none":
        n1, n2 = case.measurement.object_shape
        other = case.again(replace(case.measurement, object_shape=(n1 - 1, n2 - 1)))
        _same(other, case.found, "does not declare a support, but uses it")


def names_its_files(case: Case) -> None:
    """It says which files decide its results: without that, a run cannot tell whether kept results are still valid."""
    try:
        file_digests(case.solver, [case.problem])
    except BrokenPluginError as error:
        raise Breach(str(error)) from error


def same_seed(case: Case) -> None:
    """The same seed gives the same result, to the last bit."""
    again = case.again(case.measurement)
    _require(np.array_equal(again.images, case.found.images), "two runs with one seed differ")
    _require(np.array_equal(again.iterations, case.found.iterations), "two runs with one seed differ in iterations")


def independent_of_the_batch(case: Case) -> None:
    """An image alone, or in another order, gives the same as in the batch, but for rounding."""
    order = np.arange(len(case.measurement))[::-1]
    _same(case.again(case.measurement[order]), _select(case.found, order), "in another order, an image differs")
    for i in (0, len(order) - 1):
        one = np.array([i])
        _same(case.again(case.measurement[one]), _select(case.found, one), f"alone, image {i} differs")


def leaves_the_measurement_alone(case: Case) -> None:
    """The intensities belong to all solvers of a run."""
    copy = replace(case.measurement, intensities=case.measurement.intensities.copy())
    case.again(copy)
    _require(np.array_equal(copy.intensities, case.measurement.intensities), "it changed the intensities")
    _require(np.array_equal(copy.indices, case.measurement.indices), "it changed the indices")


def survives_bad_input(case: Case) -> None:
    """Infinite, negative and dark measurements become rows with the status "invalid", and disturb no other image."""
    intensities = case.measurement.intensities.copy()
    intensities[1, 3, 4], intensities[2], intensities[3, 5, 6] = np.inf, 0, -1
    found = case.again(replace(case.measurement, intensities=intensities))
    _require(len(found.status) == len(intensities), f"{len(found.status)} results for {len(intensities)} images")
    for i, what in ((1, "with infinity"), (2, "of zeros"), (3, "with a negative number")):
        _require(found.status[i] == Status.INVALID, f"a measurement {what} has the status '{found.status[i]}'")
        _require(bool(np.isfinite(found.images[i]).all()), f"a measurement {what} gives an image that is not finite")
    good = np.array([0, 4])
    _same(_select(found, good), _select(case.found, good), "beside a bad measurement, a good image differs")
    dark = case.again(replace(case.measurement, intensities=np.zeros_like(intensities)))
    _require(set(dark.status) == {Status.INVALID}, "a batch of zeros is not invalid everywhere")


def scales(case: Case) -> None:
    """The units of the intensities are free: Y c² gives the image times c, or one that has diverged."""
    for scale in SCALES:
        scaled = replace(case.measurement, intensities=case.measurement.intensities * scale)
        found = case.again(scaled)
        held = np.array([status != Status.DIVERGED for status in found.status])
        images = found.images[held].astype(np.result_type(found.images, np.float64)) / math.sqrt(scale)
        _same(replace(found, images=images), _select(case.found, held), f"with Y × {scale:.0e}, an image differs")
        _true_residual(replace(_select(found, held), residual=found.residual[held]), scaled[held])


CHECKS: dict[str, Callable[[Case], None]] = {
    "prepares and solves": solves,
    "right shapes and types": shapes_and_types,
    "finite images": finite,
    "residual as it is defined": residual_by_definition,
    "uses what it declares": declares_information,
    "names the files it reads": names_its_files,
    "same seed, same result": same_seed,
    "independent of the batch": independent_of_the_batch,
    "leaves the measurement alone": leaves_the_measurement_alone,
    "survives bad measurements": survives_bad_input,
    "scales with the intensities": scales,
}
NEEDED = ("prepares and solves", "right shapes and types")  # without which no other check says anything


def _require(kept: bool, reason: str) -> None:
    if not kept:
        raise Breach(reason)


def _same(found: Reconstruction, expected: Reconstruction, reason: str) -> None:
    """Refuse images that differ by more than rounding."""
    difference = np.linalg.norm(found.images - expected.images, axis=(1, 2))
    scale = np.linalg.norm(expected.images, axis=(1, 2))
    share = float(np.max(difference / np.where(scale > 0, scale, 1), initial=0))
    _require(share <= ROUNDING, f"{reason} by {share:.1%} (allowed: {ROUNDING:.1%})")


def _true_residual(found: Reconstruction, measurement: Measurement) -> None:
    """Refuse residuals that are not those of the images."""
    true = magnitude_residual(found.images, measurement.intensities, real=measurement.real)
    for i, (said, is_so) in enumerate(zip(found.residual, true, strict=True)):
        _require(abs(is_so - said) <= RESIDUAL, f"image {i} says {said:.4f}, its definition gives {is_so:.4f}")


def _select(found: Reconstruction, rows: NDArray) -> Reconstruction:
    return replace(found, images=found.images[rows])
