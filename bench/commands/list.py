"""`bench list`: what a user can choose from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from bench.errors import RequestError
from bench.executors.plugins import PluginError, listed
from bench.report.terminal import output_console
from datasets import VARIANTS, DatasetError
from datasets import images as image_sets
from solvers.errors import SolverError, printable
from solvers.registry import names


def show(what: str) -> None:
    """Print the solvers, the variants or the data sets."""
    tables: dict[str, Callable[[], RenderableType]] = {
        "solvers": _solvers,
        "variants": lambda: _described(VARIANTS),
        "datasets": _datasets,
    }
    if what not in tables:
        raise RequestError(f"cannot list '{what}': choose from {', '.join(tables)}")
    output_console().print(tables[what]())


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
        parts += [_parameters(solver.parameters), ""]
    return Group(*parts)


def _datasets() -> Group:
    parts: list[RenderableType] = []
    for name in image_sets.names():
        title = f"[bold]{_plain(name)}[/bold]"
        try:
            kind = image_sets.source_class(name)
        except DatasetError as error:
            parts.append(f"{title}  [red]{_plain(str(error))}[/red]\n")
            continue
        found = [(p.name, p.default, p.description) for p in image_sets.parameters(kind)]
        parts += [f"{title}  {_plain(kind.summary)}", _parameters(found), ""]
    return Group(*parts)


def _parameters(parameters: Iterable[tuple[str, str | None, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, default, description in parameters:
        value = "needed" if default is None else f"= {default}"
        table.add_row(_plain(f"{name} {value}"), f"[dim]{_plain(description)}[/dim]")
    return Padding(table, (0, 0, 0, 4))


def _plain(text: str) -> str:
    """Text of a plug-in, which neither rich nor the terminal takes for anything else."""
    return escape(printable(text))
