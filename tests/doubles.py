"""Stand-ins: an array library that allows nothing beyond the standard, and solvers that misbehave on purpose."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.report.manifest import MANIFEST
from bench.sweep.rows import FILE
from datasets import Measurement
from datasets.problem import Problem
from solvers import Backend, Information, IterativeSolver, Reconstruction, Solver, Status, Streams


class StrictBackend(Backend):
    """array-api-strict, under a name of its own so that no code can mistake it for a library it knows."""

    def __init__(self, precision: str = "float64") -> None:
        super().__init__("strict", "cpu", precision, 1)  # type: ignore[arg-type]

    @property
    def xp(self) -> ModuleType:  # type: ignore[override]
        import array_api_strict

        return array_api_strict


def reconstruction_of(measurement: Measurement, images: NDArray) -> Reconstruction:
    """A reconstruction with these images and one iteration each."""
    n = len(measurement)
    ones = np.ones(n, dtype=np.int64)
    return Reconstruction(images, np.ones(n), ones, ones, ones, [Status.STOPPED] * n)


class Blank(Solver):
    """Returns empty images, and remembers for which ones it was asked."""

    name = "blank"
    summary = "empty images"
    asked: ClassVar[list[tuple[int, ...]]] = []

    def information(self) -> Information:
        return Information()

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        Blank.asked.append(tuple(int(i) for i in measurement.indices))
        return reconstruction_of(measurement, np.zeros((len(measurement), *measurement.grid)))


class Interrupted(Blank):
    """Is stopped by the user when it comes to image 2, as long as `impatient`."""

    name = "interrupted"
    summary = "stopped by the user"
    impatient: ClassVar[bool] = True

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        if Interrupted.impatient and 2 in measurement.indices:
            raise KeyboardInterrupt
        return super().solve(measurement, rng)


class Broken(Blank):
    """Raises an error whose text looks like terminal markup."""

    name = "broken"
    summary = "raises an error"

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        raise ZeroDivisionError("the [/dial] was at [bold]eleven")


class Quitting(Blank):
    """Tries to end the program."""

    name = "quitting"
    summary = "ends the program"

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        raise SystemExit(0)


class LongWinded(Blank):
    """Raises an error of several lines."""

    name = "long_winded"
    summary = "raises a long error"

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        raise ValueError("the beam was off\n\n  for further information see the manual")


class Misshapen(Blank):
    """Returns images of the wrong shape."""

    name = "misshapen"
    summary = "returns the wrong shape"

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        return reconstruction_of(measurement, np.zeros((len(measurement), 3, 3)))


class NotFinite(Blank):
    """Returns images full of NaN."""

    name = "not_finite"
    summary = "returns NaN"

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        return reconstruction_of(measurement, np.full((len(measurement), *measurement.grid), np.nan))


class Demanding(Blank):
    """Has a parameter without a default."""

    name = "demanding"
    summary = "needs a parameter"
    strength: float


class Still(IterativeSolver):
    """Stays where it began, and notes how many iterations it was asked for."""

    name = "still"
    summary = "does nothing"
    counts: ClassVar[list[int]] = []

    def begin(self, guess, block):
        return (guess,)

    def advance(self, state, block, count):
        Still.counts.append(count)
        return state

    def estimate(self, state, block):
        return block.project_object(state[0])

    def transforms(self, state, iterations):
        return 0 * iterations


class Exploding(Still):
    """Multiplies its iterate by a large number until it is no longer finite."""

    name = "exploding"
    summary = "diverges"

    def advance(self, state, block, count):
        return (state[0] * float("inf"),)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything under a folder: when it was changed, and what is in it."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def announce(site: Path, name: str, value: str) -> Path:
    """Write into a folder what makes a plug-in known to every process that has it on its path."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[phasebench.solvers]\n{name} = {value}\n")
    return site


def register_solvers(monkeypatch, *kinds: type[Solver]) -> None:
    """Make these solvers known by name, for one test."""
    from solvers.registry import BUILT_IN

    for kind in kinds:
        monkeypatch.setitem(BUILT_IN, kind.name, f"{kind.__module__}:{kind.__name__}")


def result_rows(
    solver: str, errors: NDArray, *, variant: str = "none", seed: int = 0, noise: str = "", status: str = "stopped"
) -> pd.DataFrame:
    """Rows of a run with these errors (images,); another `noise` is another measurement of the same images."""
    images = np.arange(len(errors))
    return pd.DataFrame(
        {
            **Problem(dataset="sample", variant=variant).columns(),
            "solver": solver,
            "seed": seed,
            "image": images,
            "measurement": [hashlib.sha256(f"{noise} {image}".encode()).hexdigest() for image in images],
            "status": status,
            "reason": "" if status == "stopped" else "RuntimeError: out of light",
            "mse": errors,
            "transforms": 100,
            "information": "support: box, real",
        }
    )


def write_run(folder: Path, rows: pd.DataFrame) -> Path:
    """The folder of a finished run with these rows, as far as it is read again: the rows, and their checksum."""
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_parquet(folder / FILE)
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({"files": {FILE: digest}}))
    return folder
