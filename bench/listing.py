"""`bench list`: what a user can choose from."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from bench.errors import RequestError
from datasets import DATASETS, VARIANTS
from solvers import Solver
from solvers.errors import SolverError, printable
from solvers.registry import Parameter, blaming, information, names, parameters, solver_class


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
            kind = solver_class(name)
        except SolverError as error:
            parts.append(f"{title}  [red]{_plain(str(error))}[/red]\n")
            continue
        described = parameters(kind)
        parts.append(f"{title}  {_plain(kind.summary)}")
        parts.append(Padding(f"uses {_plain(_information(kind, described))}", (0, 0, 0, 2)))
        table = Table.grid(padding=(0, 2))
        for p in described:
            default = "needed" if p.default is None else f"= {p.default}"
            table.add_row(_plain(f"{p.name} {default}"), f"[dim]{_plain(p.description)}[/dim]")
        parts += [Padding(table, (0, 0, 0, 4)), ""]
    return Group(*parts)


def _information(kind: type[Solver], described: list[Parameter]) -> str:
    """What a solver uses with its defaults, or why that is not known."""
    needed = [p.name for p in described if p.default is None]
    if needed:
        return f"what its parameters say: there is no default for {', '.join(needed)}"
    try:
        with blaming(f"solver '{kind.name}' cannot be made"):
            solver = kind()
        return str(information(solver))
    except SolverError as error:
        return f"it is not known what: {error}"


def _plain(text: str) -> str:
    """Text of a plug-in, which neither rich nor the terminal takes for anything else."""
    return escape(printable(text))
