"""`bench check`: the gate. Runs a baseline's sweep again, or takes a finished run, and says what became worse."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.commands.baseline import measure_baseline
from bench.errors import Exit, RequestError, reason, say
from bench.executors.plugins import canonical
from bench.gate.baseline import Baseline, Cost, Spread, read_baseline
from bench.gate.outputs import counted
from bench.gate.outputs import junit as junit_xml
from bench.gate.outputs import markdown as markdown_summary
from bench.gate.power import MOST, POWER, Need, needs
from bench.gate.tolerances import COLD_START, TIME, Metric, with_tolerances
from bench.gate.verdicts import FAMILY, Finding, Verdict, judge
from bench.options import RECORDED
from bench.report.finished import read_rows
from bench.report.settings import briefly
from bench.report.terminal import labelled, output_console
from bench.request import Sweep, request
from bench.sweep.rows import GROUP
from datasets.problem import Problem
from solvers import SolverError
from solvers.files import write_text
from solvers.training.interruption import terminated_as_interrupted

WIDE = 60  # characters from which on a reason stands beside its verdict, and not below it

_STYLE = {
    Verdict.PASS: "green",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.REGRESSION: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.MISSING: "bold red",
    Verdict.UNCOMPARED: "dim",
}


@terminated_as_interrupted()
def check(
    path: Path,
    current: Path | None = None,
    *,
    seeds: str | None = None,
    tolerances: str = "",
    power: bool = False,
    junit: Path | None = None,
    markdown: Path | None = None,
    console: Console | None = None,
) -> Exit:
    """Compare now with a baseline, print every verdict, and return the exit status that follows from them.

    Args:
        current: a finished run to take the rows of; the baseline's sweep runs again if absent.
        seeds: to run with instead of the baseline's own, comma-separated.
        power: say how many images the tolerances need.
        junit, markdown: files for the verdicts. Where an error ends the check, they hold its reason instead.

    Raises:
        RequestError: a bad baseline, run or tolerance, or a file that cannot be written.
        NothingComparableError: not one measurement in common.
    """
    console = console or output_console()
    _refuse_folders(junit, markdown)
    source = "a run with other seeds" if seeds else "its sweep, run again"
    if current is not None:
        source = f"the run in '{current}'"
    about = f"baseline '{path}' against {source}"
    try:
        metrics, time = with_tolerances(tolerances)
        if current is not None and seeds is not None:
            raise RequestError("--seed is for running again: leave it out with --current")
        before = read_baseline(path)
        about = f"baseline '{path}' of phasebench {before.version} against {source}"
        findings, compared = _findings(before, path, current, seeds, metrics, time)
    except (Exception, KeyboardInterrupt) as error:
        words = "it was stopped" if isinstance(error, KeyboardInterrupt) else reason(error)
        told = Finding("all solvers", None, "", Verdict.UNCOMPARED, words)
        for fault in _write([told], about, junit, markdown):
            say(fault)
        raise
    console.print(f"{about}; all intervals hold together with {FAMILY:.1%}", markup=False, highlight=False)
    _print(findings, console)
    if power and compared is not None:
        old, new = compared
        other_seeds = not set(new["seed"]) <= set(old["seed"])
        _print_needs(needs(old, new, metrics), other_seeds=other_seeds, console=console)
    unwritten = _write(findings, about, junit, markdown)
    if unwritten:
        raise RequestError("; ".join(unwritten))
    return status_of(findings)


def _findings(
    before: Baseline, path: Path, current: Path | None, seeds: str | None, metrics: tuple[Metric, ...], time: Metric
) -> tuple[list[Finding], tuple[pd.DataFrame, pd.DataFrame] | None]:
    """What became of the solvers of a baseline, and the rows that were compared, if any."""
    if current is not None:
        rows = read_rows(current)
        return judge(before.rows, rows, metrics), (before.rows, rows)
    missing, sweep = _repeated(before, path, seeds)
    if sweep is None:
        return missing, None
    here = before.rows[before.rows["solver"].isin(sweep.solvers)]
    after = measure_baseline(sweep)
    findings = judge(here, after.rows, metrics)
    findings += judge_costs(time, before, after)
    return findings + missing, (here, after.rows)


def _refuse_folders(*files: Path | None) -> None:
    """Before minutes are spent on what cannot be written."""
    for file in files:
        if file is not None and file.is_dir():
            raise RequestError(f"output '{file}' is a folder: name a file")


def _write(findings: list[Finding], about: str, xml: Path | None, summary: Path | None) -> list[str]:
    """Write the files that are asked for; returns what there is to say of those that cannot be written."""
    unwritten = []
    for file, text in ((xml, junit_xml), (summary, markdown_summary)):
        if file is None:
            continue
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text(file, text(findings, about))
        except OSError as error:
            unwritten.append(f"output '{file}' cannot be written: {error.strerror}")
    return unwritten


def status_of(findings: list[Finding]) -> Exit:
    """A solver that is gone or broken outweighs a regression: what it would have scored is not known.

    A regression outweighs a solver that could not be compared, which outweighs those that passed. Times are not
    compared on other hardware, and that alone is fine.
    """
    verdicts = {finding.verdict for finding in findings if finding.metric != TIME.name}
    if verdicts & {Verdict.FAILED, Verdict.MISSING}:
        return Exit.SOLVER
    if any(finding.verdict is Verdict.REGRESSION for finding in findings):
        return Exit.REGRESSION
    return Exit.NOTHING if Verdict.UNCOMPARED in verdicts else Exit.FINE


def judge_costs(metric: Metric, before: Baseline, after: Baseline) -> Iterator[Finding]:
    """Verdicts on time, in FFT pairs of the machine that computed; only between equal machines."""
    names = [str(name) for name in after.rows["solver"].unique()]
    different = _first_difference(before.machine, after.machine)
    if not before.machine:
        yield Finding(
            ", ".join(names), None, "time", Verdict.UNCOMPARED, "the baseline was made of a run, without times"
        )
        return
    if different or not (before.costs and after.costs):
        busy = "the machine was busy with something else " + ("now" if before.costs else "when the baseline was made")
        reason = f"other hardware: {different}" if different else busy
        yield Finding(", ".join(names), None, "time", Verdict.UNCOMPARED, reason)
        return
    now = {(cost.solver, cost.problem): cost for cost in after.costs}
    images = after.rows.groupby(GROUP).size()  # of all seeds together: as many as were solved
    for old in before.costs:
        new = now.get((old.solver, old.problem))
        if new is not None:
            solved = int(images[(*old.problem.columns().values(), old.solver)])
            verdict, words = judge_cost(metric, old, new, solved)
            yield Finding(old.solver, old.problem, TIME.name, verdict, words)


def judge_cost(metric: Metric, old: Cost, new: Cost, images: int) -> tuple[Verdict, str]:
    """The verdict on the time of one solver, and its reason.

    A median above the tolerance is a regression where something besides it says so: several shards all of which are
    slower, or more processor time, of which a pause of the machine takes none.

    Args:
        images: solved for the new cost, in all its shards together.
    """
    words = f"{_range(old.wall)} → {_range(new.wall)} FFT pairs an image, tolerance {metric.tolerance:+.0%}"
    if old.cpu and new.cpu:
        words += f"; processor time {_range(old.cpu)} → {_range(new.cpu)}"
    if new.wall.median <= (1 + metric.tolerance) * old.wall.median:
        return Verdict.PASS, words
    several = old.wall.several and new.wall.several
    if (several and _slower(metric, old.wall, new.wall)) or _costs_more(metric, old, new, images):
        return Verdict.REGRESSION, words
    return Verdict.INCONCLUSIVE, words if several else f"{words}; a single shard has no spread"


def _slower(metric: Metric, old: Spread, new: Spread) -> bool:
    """Every shard took longer than every one before, and even the fastest by more than the tolerance.

    A pause makes one shard slow, and with it the median of two; it makes no fast shard slow.
    """
    return new.low > max(old.high, (1 + metric.tolerance) * old.low)


def _costs_more(metric: Metric, old: Cost, new: Cost, images: int) -> bool:
    """Every shard used more processor time; a single one by more than the cold start of a process."""
    if old.cpu is None or new.cpu is None or not _slower(metric, old.cpu, new.cpu):
        return False
    return new.cpu.several or (new.cpu.median - old.cpu.median) * images > COLD_START


def _range(spread: Spread) -> str:
    return f"{spread.median:.3g} [{spread.low:.3g}, {spread.high:.3g}]" if spread.several else f"{spread.median:.3g}"


def _first_difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            return f"{key} is {after.get(key)}, in the baseline {before.get(key)}"
    return ""


def _repeated(before: Baseline, path: Path, seeds: str | None) -> tuple[list[Finding], Sweep | None]:
    """The baseline's sweep without the solvers that are no longer here, and what to say of those."""
    missing, labels = [], []
    for label in before.rows["solver"].unique():
        try:
            now = canonical(label)
            if now != label:  # of a file or a module, whose labels were left as they are
                raise RequestError(f"it is called '{now}' now: make the baseline again")
            labels.append(label)
        except (SolverError, RequestError) as error:
            missing.append(Finding(str(label), None, "", Verdict.MISSING, str(error)))
    if not labels:
        return missing, None
    try:
        for option in before.sweep.keys() - RECORDED:
            raise RequestError(f"it has an unknown option '{option}'")
        sweep = request(**{**before.sweep, "solvers": tuple(labels)})
    except (RequestError, TypeError) as error:
        raise RequestError(f"the sweep of baseline '{path}' cannot run: {error}") from error
    return missing, sweep if seeds is None else request(**{**sweep.model_dump(), "seeds": seeds})


def _print(findings: list[Finding], console: Console) -> None:
    """A block for each solver and problem, and how many verdicts there are of each kind."""
    words = briefly(finding.problem for finding in findings if finding.problem is not None)
    blocks: dict[tuple[str, Problem | None], list[Finding]] = {}
    for finding in findings:
        blocks.setdefault((finding.solver, finding.problem), []).append(finding)
    for (solver, problem), block in blocks.items():
        images, total = max((finding.images, finding.total) for finding in block)
        judged = f", {images} of {total} images" if images < total else f", {images} images" * bool(images)
        where = f" on {words[problem]}{judged}" if problem is not None else judged
        console.print(f"\n[bold]{escape(solver)}[/bold]{where}", highlight=False)
        lines = Table.grid(padding=(0, 2))
        lines.add_column(no_wrap=True)
        if any(finding.metric for finding in block):
            lines.add_column(no_wrap=True)
        lines.add_column(overflow="fold")
        for finding in block:
            cells = [f"  [{_STYLE[finding.verdict]}]{finding.verdict}[/]", finding.metric]
            if console.width < WIDE:
                console.print("  ".join(filter(None, cells)))
                console.print(Padding(escape(finding.words), (0, 0, 0, 4)), highlight=False)
            else:
                lines.add_row(*cells[: len(lines.columns) - 1], escape(finding.words))
        console.print(lines)
    unsettled = any(finding.verdict is Verdict.INCONCLUSIVE for finding in findings)
    hint = "; more images or seeds would settle the inconclusive" * unsettled
    console.print(f"\n{counted(findings)}{hint}", highlight=False)


def _print_needs(needed: list[Need], *, other_seeds: bool, console: Console) -> None:
    """What the tolerances take, and what the images that there are find."""
    words = briefly(need.problem for need in needed)
    lines: list[list[str | Text]] = []
    for (solver, problem, images), part in groupby(needed, lambda need: (need.solver, need.problem, need.images)):
        lines.append([Text(f"{solver} on {words[problem]}, {images} images", "bold"), "", "", "", ""])
        lines += [[f"  {need.metric}", f"{need.tolerance:.2g}", *_needed(need)] for need in part]
    console.print(
        f"\nimages that tell a change of the tolerance from none in {POWER:.0%} of all cases, and the smallest "
        "regression that the images there are find as often",
        style="dim",
        highlight=False,
    )
    console.print(labelled(["", "tolerance", "spread", "images", "found"], lines, console.width))
    if any(need.between_seeds and not math.isnan(need.spread) for need in needed):
        console.print("* between the seeds of the baseline, since nothing has changed", style="dim", highlight=False)
    if any(math.isnan(need.spread) for need in needed):
        known = "no image differs, or there is only one"
        hint = known if other_seeds else "--seed gives other starts to compare with"
        console.print(f"without a spread: {hint}", style="dim", highlight=False)


def _needed(need: Need) -> tuple[str, str, str]:
    """The spread, the images, and what is found."""
    if math.isnan(need.spread):
        return "", "", ""
    images = f"> {MOST:.0e}" if need.needed is None else str(need.needed)
    return f"{need.spread:.2g}{'*' * need.between_seeds}", images if need.spread else "any", f"{need.found:.2g}"
