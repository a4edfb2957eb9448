"""`bench verify`: the contract that every solver keeps, checked on a few measurements of the embedded sample.

For the author of a plug-in: what is promised in `solvers.base`, and what a comparison needs in order to be fair. The
solver runs in a process of its own, as in a sweep; whatever ends that process is a reason.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.errors import Exit, RequestError, debugging, say_all
from bench.executors.base import Place
from bench.executors.contract import CHECKS, IMAGES, NEEDED, SCALES
from bench.executors.plugins import canonical
from bench.executors.processes import Processes
from bench.executors.task import CallError, Task
from bench.report.terminal import output_console
from bench.report.tracebacks import place_of
from bench.score.metrics import SUCCESS, adjusted_mse
from bench.sweep.solved import MalformedError, Solved
from datasets import VARIANTS, Measurement, load_images
from datasets.problem import Problem
from solvers import Backend

NO_TRUTH = "knows no truth"


def verify(labels: tuple[str, ...], variant: str = "shift_flip", console: Console | None = None) -> Exit:
    """Check every label, print a table for each, and return 0, or 3 if one does not keep the contract.

    Raises:
        RequestError, SolverError: there is no such variant, no such solver, or not with these parameters.
    """
    if variant not in VARIANTS:
        raise RequestError(f"--variant: unknown variant '{variant}': choose from {', '.join(VARIANTS)}")
    if not labels:
        raise RequestError("--solvers: name at least one")
    console = console or output_console()
    labels = tuple(dict.fromkeys(map(canonical, labels)))
    kept = True
    with Processes(load_images("sample"), Backend()) as workers:
        for label in labels:
            console.print(f"\n[bold]{escape(label)}[/bold]", highlight=False)
            table = Table.grid(padding=(0, 2))
            for _ in ("mark", "check", "reason"):
                table.add_column(overflow="fold")
            for name, reason in findings(label, variant, workers):
                mark = "[red]✗[/red]" if reason else "[green]✓[/green]"
                table.add_row(mark, name, escape(reason))
                kept = kept and not reason
            console.print(table)
    return Exit.FINE if kept else Exit.SOLVER


def findings(label: str, variant: str, workers: Place) -> list[tuple[str, str]]:
    """(check, reason) for every check; the reason is empty where the solver keeps the promise."""
    problem = Problem(dataset="sample", variant=variant)
    truth, measurement = _observed(problem)
    setting = problem.model_dump(mode="json")
    lines = []
    for name in CHECKS:
        task = Task("contract", label, (measurement,), {"problem": setting, "check": name})
        try:
            reason = str(workers.ask(task))
        except CallError as error:
            reason = _told(error)
        lines.append((name, reason))
        if reason and name in NEEDED:
            return lines
    lines.append((NO_TRUTH, knows_no_truth(label, setting, workers, truth, measurement)))
    return lines


def knows_no_truth(
    label: str, setting: dict[str, Any], workers: Place, truth: NDArray, measurement: Measurement
) -> str:
    """Only intensities say what an image is: under another image's number, that image must not appear.

    The truth of the measurement never leaves this process.
    """
    for scale in (1.0, SCALES[0], SCALES[-1]):
        renamed = replace(
            measurement, indices=np.roll(measurement.indices, 1), intensities=measurement.intensities * scale
        )
        try:
            answer = workers.ask(Task("solve", label, (renamed,), {"problem": setting, "seed": 0}))
            solved = Solved.of(answer, renamed)
        except CallError as error:
            return _told(error)
        except MalformedError as error:
            return str(error)
        if solved.found is None:
            return solved.reason + place_of(solved.error)
        if (adjusted_mse(np.roll(truth, 1, axis=0), solved.found.images) < SUCCESS).any():
            return f"given one image's measurement under the number of another, it returned the other ({IMAGES} images)"
    return ""


def _told(error: CallError) -> str:
    """What went wrong, and where; `--debug` shows the traceback."""
    if debugging() and error.trace:
        say_all(error.trace)
    return f"{error}{place_of(error.trace)}"


def _observed(problem: Problem) -> tuple[NDArray, Measurement]:
    indices = np.arange(IMAGES)
    truth = problem.objects(load_images(problem.dataset), indices, seed=0)
    return truth, problem.measure(truth, indices, seed=0)
