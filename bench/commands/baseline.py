"""`bench baseline`: run a sweep, and write what `bench check` compares with."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from bench.commands.run import run_sweep
from bench.errors import Exit, RequestError
from bench.gate.baseline import TITLE, Baseline, Cost, write_baseline
from bench.gate.calibration import calibrate, fingerprint, steady
from bench.gate.scratch import scratch
from bench.options import RECORDED
from bench.report.finished import read_manifest, read_rows
from bench.report.manifest import versions
from bench.report.settings import problem_of
from bench.report.terminal import error_console
from bench.request import Sweep
from bench.sweep.rows import failed
from solvers.training.interruption import terminated_as_interrupted


def measure_baseline(sweep: Sweep) -> Baseline:
    """Run a sweep by itself, in a folder of its own, between two calibrations of the machine.

    Rows of solvers that failed are among them: the caller decides what to do about those.
    """
    sweep = sweep.model_copy(update={"workers": 1, "references": None})  # side by side, shards slow each other down
    backend = sweep.select_backend()
    console = error_console()
    with scratch() as folder:
        with console.status(f"running {len(sweep.solvers)} solvers"):
            before = calibrate(backend)
            result = run_sweep(sweep, folder, figures=False, latency=False, console=Console(quiet=True))
            after = calibrate(backend)
        timing = pd.read_csv(folder / "timing.csv", keep_default_na=False, na_values=[""])
    seconds = steady(before, after)
    costs = [] if seconds is None else [_cost(line, seconds) for line in timing.to_dict("records")]
    recorded = {key: value for key, value in result.sweep.model_dump(mode="json").items() if key in RECORDED}
    return Baseline(recorded, fingerprint(backend), versions().get("phasebench", ""), tuple(costs), result.rows)


def _cost(line: dict[str, Any], seconds: float) -> Cost:
    """What a line of timing.csv says a solver takes, where an FFT pair takes so many seconds."""
    wall, cpu = (
        {name: 1e-3 * line.get(f"{column}_{name}", math.nan) / seconds for name in ("median", "low", "high")}
        for column in ("solve_ms_per_image", "solve_cpu_ms_per_image")
    )
    known = {f"cpu_{name}": value for name, value in cpu.items() if not math.isnan(value)}
    return Cost(solver=line["solver"], problem=problem_of(line), **wall, **known)


@terminated_as_interrupted()
def make_baseline(sweep: Sweep, path: Path) -> Exit:
    """Measure a baseline and write it; nothing is written where a solver failed.

    Raises:
        RequestError: the path cannot be written, or holds something else.
    """
    _claim(path)
    return _keep(measure_baseline(sweep), path, "the machine was busy")


def keep_run(run: Path, path: Path) -> Exit:
    """Write the rows of a finished run as a baseline. It has no times: nothing calibrated the machine around them.

    Raises:
        RequestError: there is no such run, or the path cannot be written, or holds something else.
    """
    _claim(path)
    rows, described = read_rows(run), read_manifest(run)
    try:
        recorded = {key: value for key, value in described["sweep"].items() if key in RECORDED}
        version = str(described["packages"].get("phasebench", ""))  # a merged run may be of several versions
    except (KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"the manifest of '{run}' is damaged: it does not say what was run") from error
    return _keep(Baseline(recorded, {}, version, (), rows), path, "the run was not calibrated")


def _keep(baseline: Baseline, path: Path, why_no_times: str) -> Exit:
    """Write a baseline, unless a solver failed."""
    console = error_console()
    lost = failed(baseline.rows)
    for (solver, reason), group in lost.groupby(["solver", "reason"], sort=False):
        images = group["image"].nunique()
        console.print(f"{solver} failed on {images} images: {reason}", style="red", highlight=False, markup=False)
    if len(lost):
        console.print(f"{path} was not written", highlight=False, markup=False)
        return Exit.SOLVER
    write_baseline(baseline, path)
    rows = f"{len(baseline.rows)} rows" + ("" if baseline.costs else f", without times: {why_no_times}")
    console.print(f"{path}: {rows}", highlight=False, markup=False)
    return Exit.FINE


def _claim(path: Path) -> None:
    """Refuse what cannot become a baseline before minutes are spent on it."""
    try:
        if path.is_dir():
            raise RequestError(f"output '{path}' is a folder: name a file")
        if path.exists() and not path.is_file():
            raise RequestError(f"output '{path}' is not a file: name another one")
        if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(TITLE):
            raise RequestError(f"output '{path}' exists and is no baseline: name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass  # as it will be written
    except OSError as error:
        raise RequestError(f"output '{path}' cannot be written: {error.strerror}") from error
