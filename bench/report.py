"""Tables for people, on the terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.errors import one_line
from bench.tables import paper_mse


def print_summary(summary: pd.DataFrame, console: Console) -> None:
    """Mean error and share of recovered images of every solver on every variant, and what the paper reports."""
    console.print("\nmean adjusted error, and share of images below 1e-2")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("solver", no_wrap=True)
    variants = [str(variant) for variant in summary["variant"].unique()]
    for variant in variants:
        table.add_column(variant, justify="right", no_wrap=True)
    solvers = [str(solver) for solver in summary["solver"].unique()]
    for solver in solvers:
        lines = summary[summary["solver"] == solver].set_index("variant")
        table.add_row(escape(solver), *(_cell(lines.loc[variant]) for variant in variants))
    console.print(table)
    for solver in solvers:
        used = summary.loc[summary["solver"] == solver, "information"].iloc[0]
        reported = [f"{mse:.3f} on {v}" for v in variants if (mse := paper_mse(solver, v)) is not None]
        paper = f"; the paper reports {', '.join(reported)}" if reported else ""
        console.print(f"[dim]{escape(solver)} used {used}{paper}[/dim]", highlight=False)


def print_failures(lost: pd.DataFrame, folder: Path, console: Console) -> None:
    """Why rows of a run in this folder have no reconstruction, and which command shows where it happened."""
    for (solver, reason), group in lost.groupby(["solver", "reason"], sort=False):
        console.print(
            f"[red]{escape(one_line(solver))} failed on {len(group)} images:[/red] {escape(one_line(reason))}",
            highlight=False,
        )
    if len(lost):
        command = f"python -m bench status --tracebacks --output {shlex.quote(one_line(str(folder)))}"
        console.print(f"where: {command}", highlight=False, markup=False, soft_wrap=True)


def _cell(line: pd.Series) -> str:
    return f"{line['mse']:.4f} {line['success_rate']:>4.0%}"
