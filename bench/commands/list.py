"""`bench list`: what a user can choose from."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from bench.errors import RequestError
from bench.executors.plugins import PluginError, listed
from datasets import DATASETS, VARIANTS
from solvers.errors import SolverError, printable
from solvers.registry import names


def show(what: str) -> None:
    """Print the solvers, the variants or the data sets."""
    tables: dict[str, Callable[[], RenderableType]] = {
        "solvers": _solvers,
        "variants": lambda: _described(VARIANTS),
        "datasets": lambda: _described(DATASETS),
    }
    if what not in tables:
        raise RequestError(f"cannot list '{what}': choose from {', '.join(tables)}")
    Console().print(tables[what]())


def _described(entries: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("name")
    table.add_column("")
    for name, text in entries.items():
        table.add_row(name, text)
    return table


def _solvers() -> Group:
    parts: list[RenderableType] = []
    for name in names():
        title = f"[bold]{_plain(name)}[/bold]"
        try:
            solver = listed(name)
        except (SolverError, PluginError) as error:
            parts.append(f"{title}  [red]{_plain(str(error))}[/red]\n")
            continue
        parts.append(f"{title}  {_plain(solver.summary)}")
        parts.append(Padding(f"uses {_plain(solver.uses)}", (0, 0, 0, 2)))
        table = Table.grid(padding=(0, 2))
        for parameter, default, description in solver.parameters:
            value = "needed" if default is None else f"= {default}"
            table.add_row(_plain(f"{parameter} {value}"), f"[dim]{_plain(description)}[/dim]")
        parts += [Padding(table, (0, 0, 0, 4)), ""]
    return Group(*parts)


def _plain(text: str) -> str:
    """Text of a plug-in, which neither rich nor the terminal takes for anything else."""
    return escape(printable(text))
