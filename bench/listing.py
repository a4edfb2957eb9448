"""`bench list`: what a user can choose from."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from bench.errors import RequestError
from datasets import DATASETS, VARIANTS
from solvers import Solver
from solvers.errors import SolverError
from solvers.registry import names, parameters, solver_class


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
        try:
            kind = solver_class(name)
        except SolverError as error:
            parts.append(f"[bold]{escape(name)}[/bold]  [red]{escape(str(error))}[/red]\n")
            continue
        parts.append(f"[bold]{escape(name)}[/bold]  {escape(kind.summary)}")
        parts.append(Padding(f"uses {escape(_information(kind))}", (0, 0, 0, 2)))
        table = Table.grid(padding=(0, 2))
        for p in parameters(kind):
            table.add_row(f"{p.name} = {_shown(p.default)}", f"[dim]{escape(p.description)}[/dim]")
        parts += [Padding(table, (0, 0, 0, 4)), ""]
    return Group(*parts)


def _information(kind: type[Solver]) -> str:
    try:
        return str(kind().information())
    except ValidationError:  # a plug-in with a parameter that has no default
        return "depends on its parameters"
    except (Exception, SystemExit) as error:  # or with a mistake in it
        return f"what it does not say: {error!r}"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
