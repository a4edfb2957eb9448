"""A sweep from beginning to end: shards, then everything that is computed from them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.commands.executor import make_executor
from bench.errors import Exit, RequestError, resumable
from bench.executors.base import Executor
from bench.executors.code import data_digest
from bench.report.manifest import MANIFEST, manifest
from bench.report.tables import summarise, table1, table2
from bench.report.terminal import error_console, print_diverged, print_failures, print_summary
from bench.report.timing import TIMING, read_alone, single_images, timing_table
from bench.request import Sweep
from bench.score.references import label_of
from bench.store.folder import Store, write_csv, write_parquet
from bench.store.shard_file import DamagedError
from bench.sweep.reference import reference_outcome
from bench.sweep.rows import FILE, REFERENCES_FILE, failed
from bench.sweep.shard import Outcome, Shard
from datasets import DatasetError, ImageSet, load_images
from datasets.problem import Problem
from solvers import Backend, create
from solvers.compiled import kernels
from solvers.files import sha256, write_text
from solvers.labels import read_label
from solvers.registry import BUILT_IN
from solvers.training.interruption import terminated_as_interrupted

TABLES = (FILE, "summary.csv", "table1.csv", "table2.csv", TIMING)


@dataclass(frozen=True)
class Result:
    """A finished sweep."""

    rows: pd.DataFrame
    summary: pd.DataFrame
    status: Exit


def run(sweep: Sweep, output: Path, *, figures: bool = True) -> Result:
    """`bench run`: as `run_sweep`, into a folder of the user's, where the same command goes on after a stop."""
    with resumable():
        return run_sweep(sweep, output, figures=figures)


def run_sweep(
    sweep: Sweep, output: Path, *, figures: bool = True, latency: bool = True, console: Console | None = None
) -> Result:
    """Run what is missing of a sweep, and write its tables, figures and manifest to `output`.

    Args:
        figures, latency: solve a few images more, for pictures, and for the time that one image takes by itself.

    Raises:
        RequestError: bad data or an unusable folder. A solver that fails does not raise: its images become rows
            with the status "failed", and the result's exit status says so.
    """
    console = console or error_console()
    backend = sweep.select_backend()
    images = read_images(sweep)
    problems = sweep.problems(images)
    _refuse(sweep, problems)
    with (
        terminated_as_interrupted(),
        Store(output, sweep, problems, backend, data_digest(sweep.dataset, images)) as store,
    ):
        if backend.device == "cpu" and kernels() is None:
            console.print("[yellow]without the compiled kernels: portable code, several times slower[/yellow]")
        console.print(f"{images.name}, {images.split} split, from {images.source}", style="dim", markup=False)
        with make_executor(sweep, images, backend) as executor:
            references = _compute_references(sweep, problems, images, backend, store, console)
            outcomes, worked = _run_shards(list(shards(sweep, problems)), executor, store, console)
            rows = pd.concat([outcome.rows for outcome in outcomes], ignore_index=True)
            summary = summarise(rows, references)
            write_parquet(output / FILE, rows)
            if references is None:
                (output / REFERENCES_FILE).unlink(missing_ok=True)  # of an earlier run
            else:
                write_parquet(output / REFERENCES_FILE, references)
            write_csv(output / "summary.csv", summary)
            write_csv(output / "table1.csv", table1(summary))
            write_csv(output / "table2.csv", table2(summary))
            described = manifest(sweep, images, backend, rows)
            known = read_alone(output, without=worked)
            _write_timing(output, timing_table(outcomes, backend, known), described)
            # From here on solvers run once more: what is written survives all that they may do.
            if latency:
                single = single_images(outcomes, executor, known)
                _write_timing(output, timing_table(outcomes, backend, single), described)
            if figures:
                _draw(sweep, problems, images, executor, summary, rows, output / "figures", console)
    print_summary(summary, console)
    print_diverged(rows, console)
    lost = failed(rows)
    print_failures(lost, output, console)
    console.print(f"results in {output}", highlight=False, markup=False)
    return Result(rows, summary, Exit.SOLVER if len(lost) else Exit.FINE)


def _write_timing(output: Path, table: pd.DataFrame, described: dict[str, Any]) -> None:
    """The table of times; then the manifest, whose checksums make all tables valid."""
    write_csv(output / TIMING, table)
    there = [name for name in (*TABLES, REFERENCES_FILE) if (output / name).is_file()]
    files = {name: sha256((output / name).read_bytes()) for name in there}
    write_text(output / MANIFEST, json.dumps({**described, "files": files}, indent=2) + "\n")


def read_images(sweep: Sweep) -> ImageSet:
    """The images of a sweep, of which there must be enough."""
    try:
        images = load_images(sweep.dataset, sweep.split, sweep.data_dir)
    except DatasetError as error:
        raise RequestError(str(error)) from error
    if sweep.images > len(images):
        raise RequestError(f"--images {sweep.images}: there are {len(images)} ({images.source})")
    return images


def _refuse(sweep: Sweep, problems: Sequence[Problem]) -> None:
    """Refuse what a built-in solver was not made for, before anything is computed.

    Raises:
        RequestError: in one line, with what it was made for.
    """
    for label in sweep.solvers:
        if read_label(label)[0] in BUILT_IN:
            for problem in problems:
                if reason := create(label).refusal(problem):
                    raise RequestError(f"--solvers: {reason}")


def shards(sweep: Sweep, problems: Sequence[Problem]) -> Iterator[Shard]:
    """The pieces of a sweep, in the order in which they are reported."""
    for problem in problems:
        for solver in sweep.solvers:
            yield from _blocks(sweep, problem, solver)


def reference_shards(sweep: Sweep, problems: Sequence[Problem]) -> Iterator[tuple[str, Shard]]:
    """The pieces of the references that a sweep asks for, with their names: where there is noise."""
    for problem in problems:
        if math.isfinite(problem.photons):
            for name in sweep.references or ():
                for shard in _blocks(sweep, problem, label_of(name)):
                    yield name, shard


def _blocks(sweep: Sweep, problem: Problem, label: str) -> Iterator[Shard]:
    for seed in sweep.seeds:
        for first in range(0, sweep.images, sweep.shard):
            yield Shard(problem, label, seed, first, min(sweep.shard, sweep.images - first))


def _compute_references(
    sweep: Sweep, problems: Sequence[Problem], images: ImageSet, backend: Backend, store: Store, console: Console
) -> pd.DataFrame | None:
    """Rows of the references, in this process, which has the truth; None where none are asked for."""
    found = []
    with console.status("computing references"):
        for name, shard in reference_shards(sweep, problems):
            known = _finished(shard, store, console)
            found.append(known or store.save(reference_outcome(name, images, shard, backend)))
    return pd.concat([outcome.rows for outcome in found], ignore_index=True) if found else None


def _run_shards(
    plan: list[Shard], executor: Executor, store: Store, console: Console
) -> tuple[list[Outcome], set[str]]:
    """Take the shards that are there, run those that are not; all in the order of the plan, and which solvers ran."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    outcomes = {shard: outcome for shard in plan if (outcome := _finished(shard, store, console)) is not None}
    missing = [shard for shard in plan if shard not in outcomes]
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=sum(shard.count for shard in plan))
        progress.advance(task, sum(shard.count for shard in outcomes))
        if missing:
            progress.update(task, description=_described(missing[0]))
            for done, outcome in enumerate(executor.run(missing), 1):
                outcomes[outcome.shard] = store.save(outcome)
                progress.advance(task, outcome.shard.count)
                progress.update(task, description=_described(missing[min(done, len(missing) - 1)]))
    return [outcomes[shard] for shard in plan], {shard.solver for shard in missing}


def _finished(shard: Shard, store: Store, console: Console) -> Outcome | None:
    """A shard of an earlier run; None for one to run now: a failure is tried again, and so is a damaged file."""
    try:
        outcome = store.load(shard)
    except DamagedError as error:
        console.print(f"[yellow]{escape(str(error))}: it is made again[/yellow]", highlight=False)
        return None
    return None if outcome is None or outcome.error else outcome


def _described(shard: Shard) -> str:
    return f"{escape(shard.problem.briefly()):<10} {escape(shard.solver)}"


def _draw(
    sweep: Sweep,
    problems: Sequence[Problem],
    images: ImageSet,
    executor: Executor,
    summary: pd.DataFrame,
    rows: pd.DataFrame,
    folder: Path,
    console: Console,
) -> None:
    from bench.report.figures import draw_figures  # matplotlib takes a second to import

    broken = set(failed(rows)["solver"])
    working = [label for label in sweep.solvers if label not in broken]
    with console.status("drawing figures"):
        try:
            still = draw_figures(sweep, problems, working, images, executor, summary, folder)
        except Exception as error:  # the solvers run again for the pictures: the tables must not depend on that
            console.print(f"[red]figures not drawn:[/red] {escape(str(error))}", highlight=False)
            return
    if still:
        console.print(f"no convergence curve for {', '.join(still)} (no iterations)", highlight=False, markup=False)
