"""How fast a machine is, and which one: times are compared in units of its own FFT, and only with its like."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.report.manifest import machine, versions
from solvers import Backend

SECONDS = 0.3  # to spend on a calibration
BATCH = 16  # images at once: as many as the iterative solvers take on a CPU
GRID = (96, 96)
SHARE = 0.9  # of a processor that a calibration must get; below, something else runs here, and takes time from a solver
SPREAD = 1.25  # largest ratio of two calibrations, one before and one after

_LIBRARIES = ("numpy", "scipy", "torch", "cupy-cuda13x")


@dataclass(frozen=True)
class Calibration:
    """Seconds of one FFT pair, and whether the machine had nothing else to do while they were measured."""

    seconds: float
    quiet: bool


def calibrate(backend: Backend) -> Calibration:
    """Median time of a real FFT of one 96×96 image and its inverse, on one thread, in batches of 16."""
    fft = backend.xp.fft
    images = backend.asarray(np.random.default_rng(0).random((BATCH, *GRID)))
    times: list[float] = []
    with backend.single_threaded():
        fft.irfftn(fft.rfftn(images, axes=(1, 2)), s=GRID, axes=(1, 2))  # makes its plans
        start, used = time.perf_counter(), time.thread_time()
        while not times or time.perf_counter() < start + SECONDS:
            backend.synchronize()
            began = time.perf_counter()
            fft.irfftn(fft.rfftn(images, axes=(1, 2)), s=GRID, axes=(1, 2))
            backend.synchronize()
            times.append(time.perf_counter() - began)
        share = (time.thread_time() - used) / (time.perf_counter() - start)
    return Calibration(float(np.median(times)) / BATCH, backend.device != "cpu" or share >= SHARE)


def steady(before: Calibration, after: Calibration) -> float | None:
    """Seconds of one FFT pair during all that happened between two calibrations; None where that is not known."""
    slow, fast = max(before.seconds, after.seconds), min(before.seconds, after.seconds)
    return (slow + fast) / 2 if before.quiet and after.quiet and slow <= SPREAD * fast else None


def fingerprint(backend: Backend) -> dict[str, Any]:
    """What must be equal for two times to be comparable. The kernel of the system is not part of it."""
    described = {key: value for key, value in machine(backend).items() if key != "platform"}
    libraries = {name: version for name, version in versions().items() if name in _LIBRARIES}
    return {**described, "cores": os.cpu_count(), **libraries}
