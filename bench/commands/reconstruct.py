"""`python -m bench reconstruct`: an object from one measured pattern."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.errors import RequestError, resumable, say
from bench.reconstruction.folder import Folder
from bench.reconstruction.job import SOLVER, Job, plan
from bench.reconstruction.pattern import measured_by, prepare, read_centre, read_pattern
from bench.reconstruction.result import Reconstructed
from bench.report.terminal import error_console
from datasets.arrays import not_zero
from datasets.own_images import read_array
from datasets.problem import read_size
from solvers import select_backend
from solvers.training.interruption import terminated_as_interrupted


def reconstruct_command(
    file: str,
    output: Path,
    *,
    which: int | None = None,
    object_size: str | None = None,
    support: str | None = None,
    centre: str = "auto",
    masks: Sequence[str] = (),
    beamstop: float | None = None,
    crop: str | None = None,
    bin: int = 1,
    real: bool = False,
    solver: str | None = None,
    starts: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    precision: str = "float32",
    console: Console | None = None,
) -> Reconstructed:
    """Reconstruct the object of the pattern in a file, and write what came out to a folder.

    Raises:
        RequestError, DatasetError, SolverError: in one line, before anything is written.
    """
    options = {name: value for name, value in locals().items() if name not in ("console", "output", "file")}
    console = console or error_console()
    job = _plan(file, options)
    for note in job.notes:
        console.print(note, style="dim", highlight=False, markup=False)
    for warning in job.warnings:
        say(f"warning: {warning}")
    with resumable(), terminated_as_interrupted(), Folder(output, job) as folder:
        found = _solve(job, folder, console)
        folder.write(found, file, options)
        from bench.reconstruction.figure import draw_reconstruction  # matplotlib takes a second to import

        draw_reconstruction(found, output)
    for warning in found.warnings[len(job.warnings) :]:
        say(f"warning: {warning}")
    for line in found.summary():
        console.print(line, highlight=False, markup=False)
    console.print(f"results in {output}", highlight=False, markup=False)
    return found


def _plan(file: str, options: dict[str, Any]) -> Job:
    """The job that the options ask for."""
    backend = select_backend("auto", options["device"], options["precision"], options["threads"])
    crop = None if options["crop"] is None else _size("--crop", options["crop"])
    shape = None if options["object_size"] is None else _size("--object", options["object_size"])
    at = read_centre(options["centre"])
    if options["beamstop"] is not None and not 0 <= options["beamstop"] < 1e6:
        raise RequestError(f"--beamstop: {options['beamstop']} is no radius in pixels")
    counts, half_plane = read_pattern(file, options["which"])
    real = options["real"] or half_plane
    pattern = prepare(
        counts,
        masks=[measured_by(mask, counts) for mask in options["masks"]],
        centre="corner" if half_plane and at == "auto" else at,
        beamstop=options["beamstop"],
        crop=crop,
        bin=options["bin"],
        real=real,
    )
    support = None if options["support"] is None else _support(options["support"])
    return plan(
        pattern,
        backend,
        solver=options["solver"] or SOLVER,
        starts=options["starts"],
        seed=options["seed"],
        object_shape=shape,
        support=support,
        real=real,
    )


def _support(file: str) -> NDArray[np.bool_]:
    """The mask of the object in a file."""
    try:
        support = not_zero(file, read_array(file))
    except ValueError as error:
        raise RequestError(f"--support: {error}") from error
    if support.ndim != 2:
        raise RequestError(f"--support {file} has shape {support.shape}: a mask is (rows, columns)")
    return support


def _size(option: str, text: str) -> tuple[int, int]:
    try:
        return read_size(text)
    except ValueError as error:
        raise RequestError(f"{option}: {error}") from error


def _solve(job: Job, folder: Folder, console: Console) -> Reconstructed:
    """All starts: those of an earlier call are taken as they are."""
    columns = (TextColumn("starts"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    done = folder.done()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=job.starts, completed=len(done))

        def finished(number: int, start: Any) -> None:
            folder.save(number, start)
            progress.advance(task)

        return job.run(done, finished)
