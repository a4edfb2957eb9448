"""`bench.reconstruct`: an object from a measured pattern, arrays in and arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bench.errors import RequestError
from bench.reconstruction.job import SOLVER, plan
from bench.reconstruction.pattern import Place, prepare, read_centre
from bench.reconstruction.result import Reconstructed
from datasets.arrays import not_zero
from solvers import select_backend


def reconstruct(
    counts: ArrayLike,
    *,
    object_shape: tuple[int, int] | None = None,
    support: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    centre: str | Place = "auto",
    beamstop: float | None = None,
    crop: Place | None = None,
    bin: int = 1,
    real: bool = False,
    solver: str = SOLVER,
    starts: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    precision: str = "float32",
) -> Reconstructed:
    """Recover the object of a measured pattern.

    Args:
        counts: (rows, columns) of any real type; NaN where nothing was measured.
        object_shape: (n1, n2) of a box that holds the object; estimated from the autocorrelation if absent.
        support: (n1, n2) true where the object may differ from zero, instead of a box.
        mask: true where something was measured, of the shape of the counts.
        centre: where the zero frequency is: (row, column), "corner", "middle" or "auto".
        beamstop: radius in pixels of a disc around it that was not measured.
        crop: rows and columns that are kept around it.
        bin: counts of so many rows and columns are added up.
        real: the object is real. A solver with nonneg=true says so as well, and that it is nonnegative.
        solver: label, as `python -m bench list solvers` explains.
        starts: 20 if absent. The same seed gives the same starts.

    Raises:
        RequestError, SolverError: something is not as it should be; the message says in one line what.
    """
    array = np.asarray(counts)
    if array.dtype.kind not in "biuf" or array.ndim != 2 or min(array.shape, default=0) < 2:
        raise RequestError(f"counts must be real numbers (rows, columns), got {array.dtype} of shape {array.shape}")
    try:
        masks = [] if mask is None else [not_zero("the mask", mask)]
        given = None if support is None else not_zero("the support", support)
    except ValueError as error:
        raise RequestError(str(error)) from error
    pattern = prepare(
        array,
        masks=masks,
        centre=read_centre(centre if isinstance(centre, str) else ",".join(map(str, centre))),
        beamstop=beamstop,
        crop=crop,
        bin=bin,
        real=real,
    )
    backend = select_backend("auto", device, precision, threads)
    return plan(
        pattern,
        backend,
        solver=solver,
        starts=starts,
        seed=seed,
        object_shape=object_shape,
        support=given,
        real=real,
    ).run()
