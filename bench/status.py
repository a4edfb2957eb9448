"""`bench status`: what has become of the shards of a sweep, told from its folder alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.errors import RequestError
from bench.lock import holder
from bench.run import shards
from bench.shard_file import DamagedError, read_header
from bench.store import Store, read_claim
from bench.sweep import Sweep
from solvers import Backend


class State(StrEnum):
    """What a shard, or a file among the shards, is."""

    DONE = "done"
    MISSING = "missing"
    FAILED = "failed"  # the next run tries it again
    CORRUPT = "corrupt"  # the next run makes it again
    STALE = "stale"  # a file that no key of this sweep names, with its present code


@dataclass
class Inventory:
    """How many shards are in which state, by solver and variant, and what is to be said about single ones."""

    counts: dict[tuple[str, str], Counter[State]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, solver: str, variant: str, state: State, remark: str = "") -> None:
        self.counts.setdefault((solver, variant), Counter())[state] += 1
        if remark:
            self.remarks.append(remark)

    def total(self, state: State) -> int:
        return sum(counter[state] for counter in self.counts.values())


def show_status(folder: Path) -> None:
    """Print the states of the shards under an output folder.

    Raises:
        RequestError: it holds no run, or one of an older version.
    """
    found = inventory(folder)
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("solver", no_wrap=True)
    table.add_column("variant", no_wrap=True)
    for state in State:
        table.add_column(state, justify="right")
    for (solver, variant), counter in found.counts.items():
        table.add_row(escape(solver), escape(variant), *(str(counter[state] or "") for state in State))
    table.add_section()
    table.add_row("all shards", "", *(str(found.total(state)) for state in State), style="bold")
    console.print(table)
    for remark in found.remarks:
        console.print(remark, markup=False, highlight=False, soft_wrap=True)
    working = holder(folder)
    if working:
        console.print(f"in use by {working}", markup=False, highlight=False)


def inventory(folder: Path) -> Inventory:
    """Every shard that the run in this folder asks for, and every other file among its shards."""
    store, sweep = _reopen(folder)
    found = Inventory()
    asked: set[Path] = set()
    for shard in shards(sweep):
        path = store.path(shard)
        asked.add(path)
        try:
            header = read_header(path.read_bytes())
        except FileNotFoundError:
            found.add(shard.solver, shard.variant, State.MISSING)
        except (DamagedError, OSError) as error:
            found.add(shard.solver, shard.variant, State.CORRUPT, f"corrupt: {shard} ({path.name}: {error})")
        else:
            if header.error:
                found.add(shard.solver, shard.variant, State.FAILED, f"failed: {shard}: {header.reason}")
            else:
                found.add(shard.solver, shard.variant, State.DONE)
    for path in sorted(store.shards.glob("*")):
        if path not in asked and not path.name.startswith("."):
            found.add(*_origin(path), State.STALE)
    return found


def _reopen(folder: Path) -> tuple[Store, Sweep]:
    claim = read_claim(folder)
    try:
        library, digest = claim.pop("array_library"), claim.pop("data_sha256")
        sweep = Sweep(**claim)
    except (KeyError, ValueError) as error:
        raise RequestError(
            f"'{folder}' holds a run of another version, or of a solver that is not here: run it again to see more"
        ) from error
    backend = Backend(library, sweep.device, sweep.precision)  # type: ignore[arg-type]  # as it was validated
    return Store(folder, sweep, backend, digest), sweep


def _origin(path: Path) -> tuple[str, str]:
    try:
        shard = read_header(path.read_bytes()).shard
    except (DamagedError, OSError):
        return "unknown", ""
    return shard.solver, shard.variant
