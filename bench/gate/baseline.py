"""A baseline: what the gate compares with, as a text file that can be committed and read in a diff.

The file is a CSV table of rows (variant, solver, seed, image, measurement, mse, transforms; also the residual, where
nobody knows an error) below a header of comment
lines. Without their `# `, the header's lines are JSON: the sweep that made the rows and repeats them, the settings that
are the same for all of them, the machine, and times in units of that machine's FFT.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from bench.errors import RequestError
from bench.gate.verdicts import DIGEST
from bench.report.finished import known_label, with_canonical_labels
from bench.report.settings import problem_of
from bench.store.tables import csv_text
from bench.sweep.rows import IDENTITY, TEXTS, check_rows
from datasets.problem import COLUMNS, Problem
from solvers.files import sha256, write_text

TITLE = "# phasebench baseline 1: made by `python -m bench baseline`, compared by `python -m bench check`"
KEPT = [*IDENTITY, "mse", "transforms"]


@dataclass(frozen=True)
class Spread:
    """Times of one image in the shards of a sweep: the median, the lowest and the highest."""

    median: float
    low: float
    high: float

    @property
    def several(self) -> bool:
        """There was more than one shard: a single one is its own lowest and highest."""
        return self.low < self.high


Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Cost(BaseModel):
    """What solving one image took, in FFT pairs of the machine: by the clock, and in processor time of all threads.

    Baselines of older versions have no processor time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    solver: str
    problem: Problem
    median: Amount
    low: Amount
    high: Amount
    cpu_median: Amount | None = None
    cpu_low: Amount | None = None
    cpu_high: Amount | None = None

    @property
    def wall(self) -> Spread:
        return Spread(self.median, self.low, self.high)

    @property
    def cpu(self) -> Spread | None:
        if self.cpu_median is None or self.cpu_low is None or self.cpu_high is None:
            return None
        return Spread(self.cpu_median, self.cpu_low, self.cpu_high)


class Header(BaseModel):
    """The header of a baseline file."""

    model_config = ConfigDict(extra="forbid")

    phasebench: str
    sweep: dict[str, Any]
    problem: dict[str, Any]
    machine: dict[str, Any]
    costs: tuple[Cost, ...]
    sha256: str


@dataclass(frozen=True)
class Baseline:
    """The rows of a sweep with what is needed to repeat it. `costs` is empty where the machine was too busy to tell."""

    sweep: dict[str, Any]
    machine: dict[str, Any]
    version: str
    costs: tuple[Cost, ...]
    rows: pd.DataFrame


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write a baseline to a file, whole or not at all."""
    kept = KEPT if baseline.rows["mse"].notna().all() else [*KEPT, "residual"]
    rows = baseline.rows[kept].assign(measurement=baseline.rows["measurement"].str.slice(0, DIGEST))
    common = [name for name in COLUMNS if name != "variant" and rows[name].nunique() == 1]
    problem = problem_of(rows.iloc[0]).model_dump(mode="json", include=set(common))
    table = csv_text(rows.drop(columns=common))
    header = {
        "phasebench": baseline.version,
        "sweep": baseline.sweep,
        "problem": problem,
        "machine": baseline.machine,
        "costs": [_rounded(cost.model_dump(mode="json", exclude_none=True)) for cost in baseline.costs],
    }
    header["sha256"] = _checksum(header, table)
    lines = [TITLE, *(f"# {line}" for line in json.dumps(header, indent=1, ensure_ascii=False).splitlines())]
    write_text(path, "\n".join(lines) + "\n" + table)


def read_baseline(path: Path) -> Baseline:
    """The baseline in a file. Labels of solvers that are here become canonical, however they were spelled then.

    Raises:
        RequestError: there is none, or it was damaged or edited since it was made; one line that names it.
    """
    if path.exists() and not path.is_file():
        raise RequestError(f"baseline '{path}' is not a file")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise RequestError(f"baseline '{path}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        lines = []
    if not lines or lines[0] != TITLE:
        raise RequestError(f"'{path}' is no baseline: python -m bench baseline makes one, in another file")
    length = next((i for i, line in enumerate(lines) if not line.startswith("# ")), len(lines))
    table = "\n".join(lines[length:])
    try:
        values = json.loads("\n".join(line[2:] for line in lines[1:length]))
        header = Header.model_validate(_of_this_version(values))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RequestError(f"baseline '{path}' is damaged: its header cannot be read") from error
    if values.pop("sha256") != _checksum(values, table):
        raise RequestError(f"baseline '{path}' is damaged, or was edited: its checksum does not fit")
    try:
        rows = pd.read_csv(io.StringIO(table), dtype=dict.fromkeys(TEXTS, str), keep_default_na=False, na_values=[""])
        settings = Problem(**header.problem).columns()
        rows = rows.assign(**{name: settings[name] for name in COLUMNS if name not in rows})  # as it always was
    except (ValueError, OverflowError) as error:
        raise RequestError(f"baseline '{path}' is damaged: {error}") from error
    check_rows(rows, path, KEPT)
    of = {(known_label(cost.solver), cost.problem): cost for cost in reversed(header.costs)}
    costs = tuple(cost.model_copy(update={"solver": label}) for (label, _), cost in reversed(of.items()))
    return Baseline(header.sweep, header.machine, header.phasebench, costs, with_canonical_labels(rows))


def _of_this_version(values: dict[str, Any]) -> dict[str, Any]:
    """The header of a baseline; older ones knew a problem by its variant, and had all else in their sweep."""
    if "problem" in values:
        return values
    problem = {name: values["sweep"][name] for name in ("dataset", "split", "photons") if name in values["sweep"]}
    columns = Problem(**problem).model_dump(mode="json", exclude={"variant"})
    costs = [{**cost, "problem": {**problem, "variant": cost["variant"]}} for cost in values["costs"]]
    return {**values, "problem": columns, "costs": [{k: v for k, v in c.items() if k != "variant"} for c in costs]}


def _checksum(header: dict[str, Any], table: str) -> str:
    return sha256((json.dumps(header, sort_keys=True) + table).encode())


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in values.items()}
