"""`bench list`: what a user can choose from."""

from __future__ import annotations

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.errors import RequestError
from datasets import DATASETS, VARIANTS
from solvers import Solver
from solvers.errors import SolverError
from solvers.registry import names, parameters, solver_class


def show(what: str) -> None:
    """Print the solvers, the variants or the data sets."""
    tables = {"solvers": _solvers, "variants": lambda: _described(VARIANTS), "datasets": lambda: _described(DATASETS)}
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


def _solvers() -> Table:
    table = Table("name", "what it is, and the information it uses", "parameters and defaults", show_lines=True)
    for name in names():
        try:
            kind = solver_class(name)
        except SolverError as error:
            table.add_row(name, f"[red]{escape(str(error))}[/red]", "")
            continue
        lines = [f"{p.name} = {_shown(p.default)}  [dim]{escape(p.description)}[/dim]" for p in parameters(kind)]
        table.add_row(name, f"{escape(kind.summary)}\n[dim]{escape(_information(kind))}[/dim]", "\n".join(lines))
    return table


def _information(kind: type[Solver]) -> str:
    try:
        return str(kind().information())
    except ValidationError:  # a plug-in with a parameter that has no default
        return "depends on its parameters"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
