"""Tables for people, on a terminal of any width: a label is folded where it must be, and a number is never cut."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from bench.errors import one_line, visible
from bench.report.paper import IMAGES as PAPER_IMAGES
from bench.report.settings import briefly, problem_of
from bench.score.references import USES
from datasets.problem import COLUMNS
from solvers import Status

READABLE = 16  # characters of a folded label in a line
GAP = 2  # characters between two columns


def labelled(header: Sequence[str], lines: Sequence[Sequence[str | Text]], width: int) -> RenderableType:
    """A table in so many characters: a label in front of each line, and its numbers to the right.

    Labels are folded into what the numbers leave. Where that is not enough, each line becomes a block instead, with
    the numbers below each other, and their names beside them. An empty cell is left out there.
    """
    numbers = [max(map(len, column)) for column in list(zip(header, *lines, strict=True))[1:]]
    longest = max(len(line[0]) for line in [header, *lines])
    room = width - sum(numbers) - GAP * len(numbers)
    if room < min(longest, READABLE):
        return Group(*(_block(header, line) for line in lines))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    table.add_column(Text(header[0]), overflow="fold", max_width=room)
    for name in header[1:]:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for line in lines:
        table.add_row(*map(_text, line))
    return table


def _block(header: Sequence[str], line: Sequence[str | Text]) -> RenderableType:
    numbers = Table.grid(padding=(0, GAP))
    numbers.add_column(no_wrap=True)
    numbers.add_column(justify="right", overflow="fold")
    for name, value in zip(header[1:], line[1:], strict=True):
        if value:
            numbers.add_row(Text(name), _text(value))
    return Group(_text(line[0]), Padding(numbers, (0, 0, 0, GAP)))


def _text(cell: str | Text) -> Text:
    return Text(cell, overflow="fold") if isinstance(cell, str) else cell


class Terminal(Console):
    """A console that shows what a terminal might obey, instead of passing it on: labels, the names of files, and the
    texts of errors come from anywhere."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def output_console() -> Console:
    """Standard output."""
    return Terminal()


def error_console() -> Console:
    """Standard error. Where it is no terminal it has no bars and spinners, even if FORCE_COLOR is set."""
    return Terminal(stderr=True, force_terminal=sys.stderr.isatty())


def print_summary(summary: pd.DataFrame, console: Console) -> None:
    """Mean error and share of recovered images of every solver on every variant, and what the paper reports."""
    one = "; one image: no interval" * bool((summary["images"] == 1).any())
    near = ", and near the likelihood limit" * ("near_limit_rate" in summary)
    said = f"mean adjusted error, and share of images below 1e-2{near}"
    if summary["mse"].isna().any():
        agreeing = ", and share of seeds that agree with the best" * ("agreement" in summary)
        residual = f"median magnitude residual{agreeing}, as nobody knows the objects: –"
        said = residual if summary["mse"].isna().all() else f"{said}; or {residual}"
    console.print(f"\n{said}{one}", highlight=False)
    records = summary.to_dict("records")
    problems = briefly(map(problem_of, records))
    solvers = [str(solver) for solver in summary["solver"].unique()]
    cells = {(line["solver"], problem_of(line)): _cell(line) for line in records}
    lines = [[solver, *(cells.get((solver, problem), "") for problem in problems)] for solver in solvers]
    console.print(labelled(["solver", *problems.values()], lines, console.width))
    for solver, part in summary.groupby("solver", sort=False):
        kinds = [str(kind) for kind in part["information"].unique() if kind]  # a solver that failed used nothing
        if kinds and kinds != [USES]:  # of a reference, whose label says so
            used = escape(", or ".join(kinds))
            console.print(f"[dim]{escape(str(solver))} used {used}{_reported(part)}[/dim]", highlight=False)


def print_diverged(rows: pd.DataFrame, console: Console) -> None:
    """Which solvers gave images that are not finite; these count as empty ones."""
    for solver, group in rows[rows["status"] == Status.DIVERGED].groupby("solver", sort=False):
        console.print(f"[yellow]{escape(str(solver))} diverged {_times(group)}[/yellow]", highlight=False)


def print_failures(lost: pd.DataFrame, folder: Path, console: Console) -> None:
    """Why rows of a run in this folder have no reconstruction, and which command shows where it happened."""
    for (solver, reason), group in lost.groupby(["solver", "reason"], sort=False):
        console.print(
            f"[red]{escape(one_line(solver))} failed {_times(group)}:[/red] {escape(one_line(reason))}",
            highlight=False,
        )
    if len(lost):
        command = f"python -m bench status --tracebacks --output {shlex.quote(one_line(str(folder)))}"
        console.print(f"where: {command}", highlight=False, markup=False, soft_wrap=True)


def _times(rows: pd.DataFrame) -> str:
    """On how many images, each counted once for each problem and seed."""
    count = len(rows[["image", "seed", *COLUMNS]].drop_duplicates())
    return f"{count} time{'s' * (count != 1)}"


def _cell(line: dict) -> str:
    if math.isnan(line["mse"]):
        agreement = line.get("agreement", math.nan)
        return f"– {line['residual']:.4f}" + ("" if math.isnan(agreement) else f" {agreement:>4.0%}")
    near = line.get("near_limit_rate", math.nan)
    return f"{line['mse']:.4f} {line['success_rate']:>4.0%}" + ("" if math.isnan(near) else f" {near:>4.0%}")


def _reported(part: pd.DataFrame) -> str:
    """What the paper reports for the lines of one solver, and over how many more images than were solved here."""
    known = part[part["paper_mse"].notna()]
    if known.empty:
        return ""
    figures = ", ".join(f"{line['paper_mse']:.3f} on {line['variant']}" for line in known.to_dict("records"))
    low, high = int(known["images"].min()), int(known["images"].max())
    images = str(high) if low == high else f"{low} to {high}"
    subset = f" (over {PAPER_IMAGES} images, of which this is a subset of {images})" * (low < PAPER_IMAGES)
    return f"; the paper reports {figures}{subset}"
