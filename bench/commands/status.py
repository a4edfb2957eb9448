"""`bench status`: what has become of the shards of a sweep, told from its folder alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rich.text import Text

from bench.errors import RequestError, one_line
from bench.report.settings import briefly
from bench.report.terminal import labelled, output_console
from bench.report.tracebacks import place_of
from bench.request import Sweep
from bench.store.folder import Store, read_claim
from bench.store.joined import PLAN, read_plan
from bench.store.lock import holder
from bench.store.plan import reference_shards, shards
from bench.store.shard_file import DamagedError, read_header
from bench.sweep.shard import Shard
from datasets.problem import Problem
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
    errors: dict[str, list[Shard]] = field(default_factory=dict)  # tracebacks, and which shards failed with them

    def add(self, solver: str, variant: str, state: State, remark: str = "") -> None:
        self.counts.setdefault((solver, variant), Counter())[state] += 1
        if remark:
            self.remarks.append(remark)

    def total(self, state: State) -> int:
        return sum(counter[state] for counter in self.counts.values())


def show_status(folder: Path, *, tracebacks: bool = False) -> None:
    """Print the states of the shards under an output folder.

    Args:
        tracebacks: show how the failed ones failed, in full; shards that failed alike together.

    Raises:
        RequestError: it holds no run, or one of an older version.
    """
    found = inventory(folder)
    console = output_console()
    lines: list[list[str | Text]] = [
        [one_line(solver), one_line(variant), *(str(counter[state] or "") for state in State)]
        for (solver, variant), counter in found.counts.items()
    ]
    lines.append([Text(cell, "bold") for cell in ("all shards", "", *(str(found.total(state)) for state in State))])
    console.print(labelled(["solver", "problem", *State], lines, console.width))
    for remark in found.remarks:
        console.print(one_line(remark), markup=False, highlight=False, soft_wrap=True)
    if tracebacks:
        for error, failed in found.errors.items():
            console.print(
                f"\n{failed[0]}" + (f", and {len(failed) - 1} more" if failed[1:] else ""),
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
            console.print(error.rstrip(), markup=False, highlight=False, soft_wrap=True)
    working = holder(folder)
    if working:
        console.print(f"in use by {working}", markup=False, highlight=False)


def inventory(folder: Path) -> Inventory:
    """Every shard that the run in this folder asks for, and every other file among its shards."""
    store, plan = _reopen(folder)
    words = briefly(store.problems)
    found = Inventory()
    asked: set[Path] = set()
    for shard in plan:
        path, problem = store.path(shard), words[shard.problem]
        asked.add(path)
        try:
            header = read_header(path.read_bytes(), shard)
        except FileNotFoundError:
            found.add(shard.solver, problem, State.MISSING)
        except (DamagedError, OSError) as error:
            found.add(shard.solver, problem, State.CORRUPT, f"corrupt: {shard} ({path.name}: {error})")
        else:
            if header.error:
                found.add(
                    shard.solver,
                    problem,
                    State.FAILED,
                    f"failed: {shard}: {header.reason}{place_of(header.error)}",
                )
                found.errors.setdefault(header.error, []).append(shard)
            else:
                found.add(shard.solver, problem, State.DONE)
    for path in sorted(store.shards.glob("*")):
        if path not in asked and not path.name.startswith("."):
            found.add(*_origin(path), State.STALE)
    return found


def _reopen(folder: Path) -> tuple[Store, list[Shard]]:
    """The store of a run, and the shards that it asks for; a merged run has them listed."""
    claim = read_claim(folder)
    try:
        library, digest = claim.pop("array_library"), claim.pop("data_sha256")
        problems = tuple(Problem(**problem) for problem in claim.pop("problems"))
        listed = claim.pop(PLAN, None)
        sweep = Sweep(**claim)
        plan = [*(shard for _, shard in reference_shards(sweep, problems)), *shards(sweep, problems)]
        plan = plan if listed is None else read_plan(listed, problems)
    except (LookupError, TypeError, ValueError) as error:
        raise RequestError(
            f"'{folder}' holds a run of another version, or of a solver that is not here: run it again to see more"
        ) from error
    backend = Backend(library, sweep.device, sweep.precision)  # type: ignore[arg-type]  # as it was validated
    return Store(folder, sweep, problems, backend, digest), plan


def _origin(path: Path) -> tuple[str, str]:
    try:
        shard = read_header(path.read_bytes()).shard
    except (DamagedError, OSError):
        return "unknown", ""
    return shard.solver, shard.problem.briefly()
