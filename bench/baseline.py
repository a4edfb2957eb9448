"""`bench baseline`: what the gate compares with, as a text file that can be committed and read in a diff.

The file is a CSV table of rows (solver, variant, seed, image, measurement, mse, transforms) below a header of comment
lines. Without their `# `, the header's lines are JSON: the sweep that made the rows and repeats them, the machine, and
times in units of that machine's FFT.
"""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from bench.calibration import calibrate, fingerprint, steady
from bench.errors import Exit, RequestError
from bench.manifest import versions
from bench.rows import IDENTITY, check_rows, failed, known_label, with_canonical_labels
from bench.run import run_sweep
from bench.sweep import Sweep
from bench.verdicts import DIGEST
from solvers.files import sha256, write_text

TITLE = "# phasebench baseline 1: made by `python -m bench baseline`, compared by `python -m bench check`"
COLUMNS = [*IDENTITY, "mse", "transforms"]

# A folder of data and the number of processes are matters of the machine, not of the measurement.
_RECORDED = (
    "solvers",
    "variants",
    "images",
    "seeds",
    "dataset",
    "split",
    "photons",
    "backend",
    "device",
    "precision",
    "threads",
    "shard",
)


@dataclass(frozen=True)
class Cost:
    """Solving time of one image, in FFT pairs of the machine: its median over shards, the lowest and the highest."""

    solver: str
    variant: str
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Baseline:
    """The rows of a sweep with what is needed to repeat it. `costs` is empty where the machine was too busy to tell."""

    sweep: dict[str, Any]
    machine: dict[str, Any]
    version: str
    costs: tuple[Cost, ...]
    rows: pd.DataFrame


def measure_baseline(sweep: Sweep) -> Baseline:
    """Run a sweep by itself, in a folder of its own, between two calibrations of the machine.

    Rows of solvers that failed are kept: it is the caller's matter what to do about them.
    """
    sweep = sweep.model_copy(update={"workers": 1})  # side by side, shards slow each other down
    backend = sweep.select_backend()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="phasebench-") as folder:
        with console.status(f"running {len(sweep.solvers)} solvers on {sweep.images} images"):
            before = calibrate(backend)
            result = run_sweep(sweep, Path(folder), figures=False, latency=False, console=Console(quiet=True))
            after = calibrate(backend)
        timing = pd.read_csv(Path(folder) / "timing.csv")
    seconds = steady(before, after)
    costs = [
        Cost(
            line["solver"],
            line["variant"],
            *(1e-3 * line[f"solve_ms_per_image_{name}"] / seconds for name in ("median", "low", "high")),
        )
        for line in timing.to_dict("records")
        if seconds is not None
    ]
    recorded = {key: value for key, value in sweep.model_dump(mode="json").items() if key in _RECORDED}
    return Baseline(recorded, fingerprint(backend), versions().get("phasebench", ""), tuple(costs), result.rows)


def make_baseline(sweep: Sweep, path: Path) -> Exit:
    """Measure a baseline and write it; nothing is written where a solver failed.

    Raises:
        RequestError: the path cannot be written, or holds something else.
    """
    _claim(path)
    baseline = measure_baseline(sweep)
    console = Console(stderr=True)
    lost = failed(baseline.rows)
    for (solver, reason), group in lost.groupby(["solver", "reason"], sort=False):
        console.print(f"{solver} failed on {len(group)} images: {reason}", style="red", highlight=False, markup=False)
    if len(lost):
        console.print(f"{path} was not written", highlight=False, markup=False)
        return Exit.SOLVER
    write_baseline(baseline, path)
    rows = f"{len(baseline.rows)} rows" + ("" if baseline.costs else ", without times: the machine was busy")
    console.print(f"{path}: {rows}", highlight=False, markup=False)
    return Exit.FINE


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write a baseline to a file, whole or not at all."""
    rows = baseline.rows[COLUMNS].assign(measurement=baseline.rows["measurement"].str.slice(0, DIGEST))
    table = rows.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    header = {
        "phasebench": baseline.version,
        "sweep": baseline.sweep,
        "machine": baseline.machine,
        "costs": [{key: _rounded(value) for key, value in asdict(cost).items()} for cost in baseline.costs],
    }
    header["sha256"] = _checksum(header, table)
    lines = [TITLE, *(f"# {line}" for line in json.dumps(header, indent=1, ensure_ascii=False).splitlines())]
    write_text(path, "\n".join(lines) + "\n" + table)


def read_baseline(path: Path) -> Baseline:
    """The baseline in a file. Labels of solvers that are here become canonical, however they were spelled then.

    Raises:
        RequestError: there is none, or it was damaged or edited since it was made; one line that names it.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"baseline '{path}' cannot be read: {error}") from error
    if not lines or lines[0] != TITLE:
        raise RequestError(f"'{path}' is no baseline: make one with python -m bench baseline --output {path}")
    length = next((i for i, line in enumerate(lines) if not line.startswith("# ")), len(lines))
    table = "\n".join(lines[length:])
    try:
        header = json.loads("\n".join(line[2:] for line in lines[1:length]))
        digest = header.pop("sha256")
        costs = tuple(Cost(**cost) for cost in header["costs"])
        sweep, machine, version = (header[key] for key in ("sweep", "machine", "phasebench"))
        whole = digest == _checksum(header, table) and isinstance(sweep, dict) and isinstance(machine, dict)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RequestError(f"baseline '{path}' is damaged: its header cannot be read") from error
    if not whole:
        raise RequestError(f"baseline '{path}' is damaged, or was edited: its checksum does not fit")
    try:
        rows = pd.read_csv(io.StringIO(table), dtype={"measurement": str})
    except (ValueError, OverflowError) as error:
        raise RequestError(f"baseline '{path}' is damaged: {error}") from error
    check_rows(rows, path, COLUMNS)
    of = {(known_label(cost.solver), cost.variant): cost for cost in reversed(costs)}
    costs = tuple(replace(cost, solver=label) for (label, _), cost in reversed(of.items()))
    return Baseline(sweep, machine, str(version), costs, with_canonical_labels(rows))


def _checksum(header: dict[str, Any], table: str) -> str:
    return sha256((json.dumps(header, sort_keys=True) + table).encode())


def _claim(path: Path) -> None:
    """Refuse what cannot become a baseline before minutes are spent on it."""
    try:
        if path.is_dir():
            raise RequestError(f"output '{path}' is a folder: name a file")
        if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(TITLE):
            raise RequestError(f"output '{path}' exists and is no baseline: name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"output '{path}' cannot be written: {error.strerror}") from error


def _rounded(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value
