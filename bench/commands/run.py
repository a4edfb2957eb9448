"""A sweep from beginning to end: shards, then everything that is computed from them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.commands.executor import make_executor
from bench.errors import Exit, RequestError, resumable
from bench.executors.base import Executor
from bench.executors.code import data_digest
from bench.executors.task import CallError
from bench.report.curves import CURVES, IMAGES, known_curves, watch
from bench.report.finished import read_manifest
from bench.report.manifest import MANIFEST, manifest
from bench.report.pictures import PICTURES, gather_pictures
from bench.report.tables import OPTIONAL, TABLES, summarise, table1, table2
from bench.report.terminal import error_console, print_diverged, print_failures, print_summary
from bench.report.timing import TIMING, read_alone, single_images, timing_table
from bench.request import Sweep
from bench.store.folder import Store
from bench.store.plan import reference_shards, shards
from bench.store.shard_file import DamagedError
from bench.store.tables import write_csv, write_parquet
from bench.sweep.reference import reference_outcome
from bench.sweep.rows import FILE, REFERENCES_FILE, failed
from bench.sweep.shard import Outcome, Shard
from datasets import DatasetError, ImageSet, PatternSet, load_data
from datasets.problem import Problem
from solvers import Backend, create
from solvers.compiled import kernels
from solvers.files import sha256, write_text
from solvers.labels import read_label
from solvers.registry import BUILT_IN
from solvers.training.interruption import terminated_as_interrupted

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """A finished sweep, of as many images as there were."""

    sweep: Sweep
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
        figures, latency: solve a few images more, for convergence curves, and for the time that one image takes by
            itself; without `figures` nothing is drawn either.

    Raises:
        RequestError: bad data or an unusable folder. A solver that fails does not raise: its images become rows
            with the status "failed", and the result's exit status says so.
    """
    console = console or error_console()
    backend = sweep.select_backend()
    images = read_images(sweep)
    sweep = sweep.on(images)
    problems = sweep.problems(images)
    for warning in [*_refuse(sweep, problems, backend), *sweep.doubts(problems), *_doubts(images)]:
        console.print(warning, style="yellow", highlight=False, markup=False)
    with (
        terminated_as_interrupted(),
        make_executor(sweep, images, backend, at_once=not output.exists()) as executor,
        Store(output, sweep, problems, backend, data_digest(sweep.dataset, images)) as store,
    ):
        if backend.device == "cpu" and kernels() is None:
            console.print("[yellow]without the compiled kernels: portable code, several times slower[/yellow]")
        if backend.device == "cuda" and backend.name != "cupy":
            console.print("[yellow]without CuPy: portable code, many times slower than the kernels[/yellow]")
        console.print(f"{images.name}, {images.split} split, from {images.source}", style="dim", markup=False)
        before = _finished_before(output)
        references = _compute_references(sweep, problems, images, backend, store, console)
        outcomes, unkept = _run_shards(list(shards(sweep, problems)), executor, store, console)
        rows = pd.concat([outcome.rows for outcome in outcomes], ignore_index=True)
        pictures = gather_pictures(outcomes, problems, sweep.seeds, sweep.kept, images)
        summary = summarise(rows, references, pictures, images if isinstance(images, PatternSet) else None)
        write_parquet(output / FILE, rows)
        _write_or_remove(output / REFERENCES_FILE, references)
        write_csv(output / "summary.csv", summary)
        write_csv(output / "table1.csv", table1(summary))
        write_csv(output / "table2.csv", table2(summary))
        watched = _watched(sweep, problems, rows)
        curves, known = known_curves(output, store.keys, watched), read_alone(output, store.keys.recipes())
        _write_or_remove(output / PICTURES, pictures)
        _write_or_remove(output / CURVES, curves)
        write_csv(output / TIMING, timing_table(outcomes, backend, known))
        described = manifest(sweep, images, backend, rows) | store.contents(outcomes)
        _write_manifest(output, described)
        # From here on solvers run once more: what is written survives all that they may do.
        if latency:
            single = single_images(outcomes, executor, known)
            write_csv(output / TIMING, timing_table(outcomes, backend, single))
            _write_manifest(output, described)
        if figures:
            with console.status("drawing figures"):
                work = partial(_watch, watched, curves, executor, store)
                seen = _beside(work) if sweep.executor != "inline" else work
                _draw(output, console, of_curves=False)
                curves, said = seen()
                _write_or_remove(output / CURVES, curves)
                _write_manifest(output, described)
                _draw(output, console, of_curves=True)
            for line in said:
                console.print(line, highlight=False, markup=False)
        elif (output / "figures").is_dir() and before != described["shards"]:
            from bench.report.figures.draw import remove_stored  # matplotlib takes a second to import

            remove_stored(output / "figures")
    print_summary(summary, console)
    print_diverged(rows, console)
    lost = failed(rows)
    print_failures(lost, output, console)
    console.print(f"results in {output}", highlight=False, markup=False)
    return Result(sweep, rows, summary, Exit.SOLVER if len(lost) or unkept else Exit.FINE)


def _finished_before(output: Path) -> list[str] | None:
    """The keys of the shards that this folder has the tables and the figures of; None where it has none."""
    try:
        return read_manifest(output).get("shards")
    except RequestError:
        return None


def _write_or_remove(path: Path, table: pd.DataFrame | None) -> None:
    """A table, if it has lines; else none may be left of what was run here before."""
    if table is not None and len(table):
        write_parquet(path, table)
    else:
        path.unlink(missing_ok=True)


def _write_manifest(output: Path, described: dict[str, Any]) -> None:
    """The manifest, whose checksums make all tables valid."""
    names = (*TABLES, *(name for name in OPTIONAL if (output / name).is_file()))
    files = {name: sha256((output / name).read_bytes()) for name in names}
    write_text(output / MANIFEST, json.dumps({**described, "files": files}, indent=2) + "\n")


def read_images(sweep: Sweep) -> ImageSet | PatternSet:
    """The images of a sweep, or its measured patterns."""
    try:
        return load_data(sweep.dataset, sweep.split, sweep.data_dir)
    except DatasetError as error:
        raise RequestError(str(error)) from error


def _refuse(sweep: Sweep, problems: Sequence[Problem], backend: Backend) -> list[str]:
    """Refuse what a built-in solver was not made for, before anything is computed.

    Returns:
        What the user should know of the others.

    Raises:
        RequestError: in one line, with what it was made for.
    """
    solvers = [create(label) for label in sweep.solvers if read_label(label)[0] in BUILT_IN]
    for solver in solvers:
        if reason := solver.refusal_of(backend) or next(filter(None, map(solver.refusal, problems)), ""):
            raise RequestError(f"--solvers: {reason}")
    return list(dict.fromkeys(text for solver in solvers for text in solver.remarks(backend)))


def _doubts(images: ImageSet | PatternSet) -> list[str]:
    """What looks wrong with measured patterns."""
    if not isinstance(images, PatternSet):
        return []
    from bench.reconstruction.pattern import doubts  # scipy.ndimage takes time to import

    return doubts(images)


def _compute_references(
    sweep: Sweep,
    problems: Sequence[Problem],
    images: ImageSet | PatternSet,
    backend: Backend,
    store: Store,
    console: Console,
) -> pd.DataFrame | None:
    """Rows of the references, in this process, which has the truth; None where none are asked for."""
    found = []
    with console.status("computing references"):
        for name, shard in reference_shards(sweep, problems):
            known = _finished(shard, store, console)
            found.append(known or store.save(reference_outcome(name, images, shard, backend)))
    return pd.concat([outcome.rows for outcome in found], ignore_index=True) if found else None


def _run_shards(plan: list[Shard], executor: Executor, store: Store, console: Console) -> tuple[list[Outcome], bool]:
    """Take the shards that are there, run those that are not.

    Returns:
        All in the order of the plan; and whether a solver failed on a finished shard of which there are no pictures,
        which then stays as it was.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    outcomes: dict[Shard, Outcome] = {}
    missing: list[Shard] = []
    pictureless: dict[Shard, Outcome] = {}
    unkept = False
    for shard in plan:
        outcome = _finished(shard, store, console)
        if outcome is None:
            missing.append(shard)
        elif set(shard.kept) <= set(outcome.shard.kept):
            outcomes[shard] = outcome
        else:
            pictureless[shard] = outcome
            missing.append(replace(shard, kept=tuple(sorted({*shard.kept, *outcome.shard.kept}))))
    if outcomes:
        rest = "the others are solved" if missing else "nothing is solved again"
        console.print(f"{len(outcomes)} of {len(plan)} shards are finished already: {rest}", style="dim")
    if pictureless:
        said = f"{len(pictureless)} finished shards have no pictures of images to keep: they are solved again"
        console.print(said, highlight=False, markup=False)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=sum(shard.count for shard in plan))
        progress.advance(task, sum(shard.count for shard in outcomes))
        if missing:
            progress.update(task, description=_described(missing[0]))
            for done, outcome in enumerate(executor.run(missing), 1):
                shard = outcome.shard
                if outcome.error and shard in pictureless:
                    outcomes[shard], unkept = pictureless[shard], True
                    console.print(f"no pictures of {shard}: {outcome.reason}", style="yellow", markup=False)
                else:
                    outcomes[shard] = store.save(outcome)
                progress.advance(task, outcome.shard.count)
                progress.update(task, description=_described(missing[min(done, len(missing) - 1)]))
    return [outcomes[shard] for shard in plan], unkept


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


def _watched(sweep: Sweep, problems: Sequence[Problem], rows: pd.DataFrame) -> list[Shard]:
    """The shards whose curves are drawn: the first images of the last problem, of each solver that did not fail.

    They are solved once more, watched and on one thread. Of few images it is half: a short run would otherwise take
    longer to be drawn than to be done.
    """
    broken = set(failed(rows)["solver"])
    count = min(IMAGES, math.ceil(sweep.images / 2))
    return [Shard(problems[-1], label, sweep.seeds[0], 0, count) for label in sweep.solvers if label not in broken]


def _watch(
    watched: Sequence[Shard], known: pd.DataFrame, executor: Executor, store: Store
) -> tuple[pd.DataFrame, list[str]]:
    """The curves of these shards, those that are known and the others from solving once more; why some have none."""
    curves, without = [], []
    for shard in watched:
        key = store.keys.key(shard)
        curve = known[known["key"] == key]
        if curve.empty:
            try:
                curve = watch(shard, key, executor)
            except CallError as error:  # the tables do not depend on that
                without.append(f"no convergence curve for {shard.solver}: {error}")
                continue
            if curve.empty:
                without.append(f"no convergence curve for {shard.solver} (no iterations)")
                continue
        curves.append(curve)
    return pd.concat(curves, ignore_index=True) if curves else known[:0], without


def _beside(work: Callable[[], T]) -> Callable[[], T]:
    """Begin what solvers do in processes of their own, for which this one would only wait; its outcome on demand.

    Where the command ends before it is asked for, the work ends with those processes.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    Thread(target=run, daemon=True).start()
    return outcome.result


def _draw(output: Path, console: Console, *, of_curves: bool) -> None:
    """Draw the figures of the curves, or all others."""
    from bench.report.figures.draw import KINDS, OF_CURVES, draw_stored  # matplotlib takes a second to import
    from bench.report.figures.source import Source

    try:
        kinds = [kind for kind in KINDS if (kind in OF_CURVES) == of_curves]
        draw_stored(Source(output), output / "figures", kinds)
    except Exception as error:  # the tables must not depend on that
        console.print(f"[red]figures not drawn:[/red] {escape(str(error))}", highlight=False)
