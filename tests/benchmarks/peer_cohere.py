"""cohere, the phase retrieval of the Advanced Photon Source, with its NumPy engine, called as its users would."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
from cohere_core.controller import create_rec
from numpy.typing import NDArray

from datasets import Measurement


def shrink_wrap(
    measurement: Measurement, iterations: int, *, beta: float, sigma: float, threshold: float, every: int, folder: Path
) -> NDArray:
    """One image (m1, m2) by RAAR from a random start, with a support that follows it.

    cohere reads its data from a file, which is written to `folder`; it has its zero frequency and its support in the
    middle, and prints what it does.
    """
    data = folder / "data.npy"
    np.save(data, np.fft.fftshift(np.sqrt(measurement.intensities[0])))
    parameters = {
        "algorithm_sequence": f"{iterations}*RAAR",
        "raar_beta": beta,
        "initial_support_area": [n / m for n, m in zip(measurement.object_shape, measurement.grid, strict=True)],
        "shrink_wrap_trigger": [1, every],
        "shrink_wrap_type": "GAUSS",
        "shrink_wrap_gauss_sigma": sigma,
        "shrink_wrap_threshold": threshold,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        reconstruction = create_rec(parameters, str(data), "np", -1, debug=True)
        reconstruction.iterate()
    return reconstruction.get_image()
