"""`bench list`: what a user can choose from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from bench.errors import RequestError
from bench.executors.plugins import PluginError, contents, listed
from bench.report.terminal import output_console
from datasets import VARIANTS, DatasetError
from datasets import images as image_sets
from datasets.located import located
from solvers.errors import SolverError, printable
from solvers.labels import write_label
from solvers.registry import names


def show(what: str) -> None:
    """Print the solvers, the variants or the data sets; or one of them, or those of a file or a module."""
    tables: dict[str, Callable[[], RenderableType]] = {
        "solvers": _solvers,
        "variants": lambda: _described(VARIANTS),
        "datasets": _datasets,
    }
    if what in tables:
        found = tables[what]()
    elif what in VARIANTS:
        found = _described({what: VARIANTS[what]})
    elif located(what):
        found = _contents(what)
    elif what in names():
        found = Group(*_solver(what))
    elif what in image_sets.names():
        found = Group(*_dataset(what))
    else:
        raise RequestError(
            f"cannot list '{what}': choose from {', '.join(tables)}, the name of one of them, or a file of your own"
        )
    output_console().print(found)


def _described(entries: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("name")
    table.add_column("")
    for name, text in entries.items():
        table.add_row(name, text)
    return table


def _solvers() -> Group:
    return Group(*chain.from_iterable(map(_solver, names())))


def _datasets() -> Group:
    return Group(*chain.from_iterable(map(_dataset, image_sets.names())))


def _contents(location: str) -> Group:
    solvers, sets = contents(location)
    described = [_set(origin, found.summary, found.parameters) for origin, found in sets.items()]
    return Group(*chain.from_iterable([*map(_solver, solvers), *described]))


def _solver(name: str) -> list[RenderableType]:
    try:
        solver = listed(write_label(name, {}))
    except (SolverError, PluginError) as error:
        return [_failed(name, error)]
    uses = Padding(f"uses {_plain(solver.uses)}", (0, 0, 0, 2))
    return [f"{_title(name)}  {_plain(solver.summary)}", uses, _parameters(solver.parameters), ""]


def _dataset(name: str) -> list[RenderableType]:
    try:
        kind = image_sets.source_class(name)
    except DatasetError as error:
        return [_failed(name, error)]
    return _set(name, kind.summary, [(p.name, p.default, p.description) for p in image_sets.parameters(kind)])


def _set(name: str, summary: str, parameters: Iterable[tuple[str, str | None, str]]) -> list[RenderableType]:
    return [f"{_title(name)}  {_plain(summary)}", _parameters(parameters), ""]


def _title(name: str) -> str:
    return f"[bold]{_plain(name)}[/bold]"


def _failed(name: str, error: Exception) -> str:
    return f"{_title(name)}  [red]{_plain(str(error))}[/red]\n"


def _parameters(parameters: Iterable[tuple[str, str | None, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, default, description in parameters:
        value = "needed" if default is None else f"= {default}"
        table.add_row(_plain(f"{name} {value}"), f"[dim]{_plain(description)}[/dim]")
    return Padding(table, (0, 0, 0, 4))


def _plain(text: str) -> str:
    """Text of a plug-in, which neither rich nor the terminal takes for anything else."""
    return escape(printable(text))
