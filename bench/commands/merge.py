"""`bench merge`: finished runs as one folder, which all other commands read, and in which a run goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from bench.errors import RequestError
from bench.given import refuse_twice
from bench.report.finished import read_manifest, read_rows, read_table
from bench.report.manifest import MANIFEST, arguments, hashes
from bench.report.pictures import PICTURES
from bench.report.tables import OPTIONAL, TABLES, summarise, table1, table2
from bench.report.terminal import error_console, print_diverged, print_failures, print_summary
from bench.report.timing import TIMING, read_alone, timing_table
from bench.store.folder import DATA, read_claim, write_claim
from bench.store.joined import Finished, Joined, join, read_finished
from bench.store.tables import write_csv, write_parquet
from bench.sweep.rows import FILE, GROUP, IMAGE, REFERENCES_FILE, failed
from solvers import Backend
from solvers.files import sha256, temporary_beside, write_text
from solvers.training.interruption import terminated_as_interrupted


@terminated_as_interrupted()
def merge(folders: Sequence[Path], output: Path, *, console: Console | None = None) -> pd.DataFrame:
    """Join finished runs into a new folder, which is there as a whole or not at all; returns its rows.

    Raises:
        RequestError: a run cannot be read, is given twice or does not fit the others, or the output is not empty.
    """
    console = console or error_console()
    if len(folders) < 2:
        raise RequestError("name at least two runs")
    refuse_twice(folders)
    _refuse_what_is_there(output)
    manifests = [_vouched(folder) for folder in folders]
    runs = [_opened(folder, manifest) for folder, manifest in zip(folders, manifests, strict=True)]
    joined = join(runs)
    others = {name: table for name in OPTIONAL if (table := _of_all(name, folders, manifests)) is not None}
    summary = summarise(joined.rows, others.get(REFERENCES_FILE), others.get(PICTURES))
    try:
        place = output.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        made = temporary_beside(place)
        made.mkdir()
        try:
            _fill(made, joined, summary, others, runs, manifests)
            made.replace(place)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        raise RequestError(f"output '{output}' cannot be written: {error.strerror}") from error
    print_summary(summary, console)
    print_diverged(joined.rows, console)
    print_failures(failed(joined.rows), output, console)
    console.print(f"{len(joined.outcomes)} shards of {len(folders)} runs in {output}", highlight=False, markup=False)
    return joined.rows


def _refuse_what_is_there(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise RequestError(f"output '{output}' is not a folder")
    if output.is_dir() and any(output.iterdir()):
        raise RequestError(f"output '{output}' is not empty: choose another folder")
    if output.is_dir() and output.samefile("."):  # a new folder takes its place, in which nobody is
        raise RequestError(f"output '{output}' is the folder that you are in: name a new one")


def _vouched(folder: Path) -> dict[str, Any]:
    """The manifest of a run whose rows are those that it names."""
    read_rows(folder)
    return read_manifest(folder)


def _opened(folder: Path, manifest: dict[str, Any]) -> Finished:
    claim = read_claim(folder)
    run = read_finished(folder, claim, manifest)
    finished = {**manifest["sweep"], DATA: manifest.get(DATA) or claim[DATA]}
    if any(claim.get(name) != value for name, value in finished.items()):
        raise RequestError(f"a later run into '{folder}' was stopped: run it to its end, or the one before it again")
    return run


def _fill(
    folder: Path,
    joined: Joined,
    summary: pd.DataFrame,
    others: Mapping[str, pd.DataFrame],
    runs: Sequence[Finished],
    manifests: Sequence[dict[str, Any]],
) -> None:
    """Everything that a run writes, but for the figures."""
    shards = folder / "shards"
    shards.mkdir()
    for key, origin in joined.origins.items():
        for path in (origin / "shards").glob(f"{key}.*"):  # with what was stored beside it
            shutil.copyfile(path, shards / path.name)
    write_claim(folder, joined.claim)
    write_parquet(folder / FILE, joined.rows)
    write_csv(folder / "summary.csv", summary)
    write_csv(folder / "table1.csv", table1(summary))
    write_csv(folder / "table2.csv", table2(summary))
    claim = joined.claim
    backend = Backend(claim["array_library"], claim["device"], claim["precision"])
    write_csv(folder / TIMING, timing_table(list(joined.outcomes.values()), backend, _alone(runs)))
    for name, table in others.items():
        write_parquet(folder / name, table)
    files = {name: sha256((folder / name).read_bytes()) for name in (*TABLES, *others)}
    described = {**_described(joined, runs, manifests), "files": files}
    write_text(folder / MANIFEST, json.dumps(described, indent=2) + "\n")


def _of_all(name: str, folders: Sequence[Path], manifests: Sequence[dict[str, Any]]) -> pd.DataFrame | None:
    """The lines of a table of all runs that have it, each once; None where no run has.

    References are computed on any machine, which changes their last digits: what the first run says is taken.
    """
    having = [folder for folder, manifest in zip(folders, manifests, strict=True) if name in manifest["files"]]
    if not having:
        return None
    lines = pd.concat([read_table(folder, name) for folder in having], ignore_index=True)
    return lines.drop_duplicates(IMAGE if name == REFERENCES_FILE else None, ignore_index=True)


def _alone(runs: Sequence[Finished]) -> pd.DataFrame | None:
    """What the runs found for single images; of a problem and solver that several had, what the first found."""
    known = [table for run in runs if (table := read_alone(run.folder)) is not None]
    return pd.concat(known, ignore_index=True).drop_duplicates(GROUP) if known else None


def _described(joined: Joined, runs: Sequence[Finished], manifests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The manifest: what the runs' manifests agree on, and each of them with its folder."""
    of_sweep = {name: value for name, value in joined.claim.items() if name in manifests[0]["sweep"]}
    ours = ("solvers", "shards")
    sources = [
        {"folder": str(run.folder), **{name: value for name, value in manifest.items() if name not in ours}}
        for run, manifest in zip(runs, manifests, strict=True)
    ]
    return {
        **_agreed(manifests),
        DATA: joined.claim[DATA],
        "sweep": of_sweep,
        "argv": arguments(),
        **hashes(joined.rows),
        "solvers": {label: asdict(recipe) for label, recipe in joined.solvers.items()},
        "shards": list(joined.outcomes),
        "merged": sources,
    }


def _agreed(values: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Whatever is the same in all of these; None, or the part of a table that is the same, where something differs."""
    found: dict[str, Any] = {}
    for name in values[0]:
        every: list[Any] = [value.get(name) for value in values]
        if all(isinstance(one, dict) for one in every):
            found[name] = {key: one for key, one in _agreed(every).items() if one is not None}
        else:
            found[name] = every[0] if all(one == every[0] for one in every) else None
    return found
