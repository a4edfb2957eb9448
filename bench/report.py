"""Tables for people, on the terminal."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.tables import paper_mse


def print_summary(summary: pd.DataFrame, console: Console) -> None:
    """Mean error and share of recovered images of every solver on every variant, the paper's figure beside ours."""
    console.print("\nmean adjusted error, share of images below 1e-2; in brackets what the paper reports")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("solver", overflow="fold")
    variants = [str(variant) for variant in summary["variant"].unique()]
    for variant in variants:
        table.add_column(variant, justify="right", no_wrap=True)
    for solver in summary["solver"].unique():
        lines = summary[summary["solver"] == solver].set_index("variant")
        name = f"{escape(str(solver))}\n  [dim]{lines['information'].iloc[0]}[/dim]"
        table.add_row(name, *(_cell(lines.loc[variant], str(solver), variant) for variant in variants))
    console.print(table)


def _cell(line: pd.Series, solver: str, variant: str) -> str:
    reported = paper_mse(solver, variant)
    beside = "" if reported is None else f" ({reported:.3f})"
    return f"{line['mse']:.4f}{beside}  {line['success_rate']:>4.0%}"
