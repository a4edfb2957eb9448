"""`bench check`: the gate. Runs a baseline's sweep again, or takes a finished run, and says what became worse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.baseline import Baseline, Cost, measure_baseline, read_baseline
from bench.errors import Exit, RequestError
from bench.rows import read_rows
from bench.sweep import Sweep, request
from bench.tolerances import Metric, with_tolerances
from bench.verdicts import FAMILY, Finding, Verdict, judge
from solvers import SolverError, create

_STYLE = {
    Verdict.PASS: "green",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.REGRESSION: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.MISSING: "bold red",
    Verdict.UNCOMPARED: "dim",
}


def check(
    path: Path,
    current: Path | None = None,
    *,
    seeds: tuple[str, ...] | None = None,
    tolerances: str = "",
    console: Console | None = None,
) -> Exit:
    """Compare now with a baseline, print every verdict, and return the exit status that follows from them.

    Args:
        current: a finished run to take the rows of; the baseline's sweep runs again if absent.
        seeds: to run with instead of the baseline's own.

    Raises:
        RequestError: a bad baseline, run or tolerance.
        NothingComparableError: not one measurement in common.
    """
    console = console or Console()
    metrics, time = with_tolerances(tolerances)
    if current is not None and seeds is not None:
        raise RequestError("--seed is for running again: leave it out with --current")
    before = read_baseline(path)
    if current is not None:
        findings = judge(before.rows, read_rows(current), metrics)
        source = f"the run in '{current}'"
    else:
        missing, sweep = _repeated(before, path, seeds)
        findings = []
        if sweep is not None:
            here = before.rows["solver"].isin(sweep.solvers)
            after = measure_baseline(sweep)
            findings = judge(before.rows[here], after.rows, metrics)
            findings += judge_costs(time, before, after)
        findings += missing
        source = "a run with other seeds" if seeds else "its sweep, run again"
    console.print(
        f"baseline '{path}' of phasebench {before.version} against {source}; "
        f"all intervals hold together with {FAMILY:.1%}",
        markup=False,
        highlight=False,
    )
    _print(findings, console)
    return status_of(findings)


def status_of(findings: list[Finding]) -> Exit:
    """A solver that is gone or broken outweighs a regression: what it would have scored is not known."""
    verdicts = {finding.verdict for finding in findings}
    if verdicts & {Verdict.FAILED, Verdict.MISSING}:
        return Exit.SOLVER
    return Exit.REGRESSION if Verdict.REGRESSION in verdicts else Exit.FINE


def judge_costs(metric: Metric, before: Baseline, after: Baseline) -> Iterator[Finding]:
    """Verdicts on time, in FFT pairs of the machine that computed; only between equal machines.

    The interval is the range between the shards: slower means that every shard is slower than every one before.
    """
    names = [str(name) for name in after.rows["solver"].unique()]
    different = _first_difference(before.machine, after.machine)
    if different or not (before.costs and after.costs):
        busy = "the machine was busy with something else " + ("now" if before.costs else "when the baseline was made")
        reason = f"other hardware: {different}" if different else busy
        yield Finding(", ".join(names), "", "time", Verdict.UNCOMPARED, reason)
        return
    now = {(cost.solver, cost.variant): cost for cost in after.costs}
    for old in before.costs:
        new = now.get((old.solver, old.variant))
        if new is not None:
            yield Finding(old.solver, old.variant, "time", *_judge_cost(metric, old, new))


def _judge_cost(metric: Metric, old: Cost, new: Cost) -> tuple[Verdict, str]:
    words = (
        f"{old.median:.3g} [{old.low:.3g}, {old.high:.3g}] → {new.median:.3g} [{new.low:.3g}, {new.high:.3g}] "
        f"FFT pairs an image, tolerance {metric.tolerance:+.0%}"
    )
    if new.median <= (1 + metric.tolerance) * old.median:
        return Verdict.PASS, words
    return (Verdict.REGRESSION if new.low > old.high else Verdict.INCONCLUSIVE), words


def _first_difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            return f"{key} is {after.get(key)}, in the baseline {before.get(key)}"
    return ""


def _repeated(before: Baseline, path: Path, seeds: tuple[str, ...] | None) -> tuple[list[Finding], Sweep | None]:
    """The baseline's sweep without the solvers that are no longer here, and what to say of those."""
    missing, labels = [], []
    for label in before.rows["solver"].unique():
        try:
            create(label)
            labels.append(label)
        except SolverError as error:
            missing.append(Finding(str(label), "", "", Verdict.MISSING, str(error)))
    if not labels:
        return missing, None
    try:
        sweep = request(**{**before.sweep, "solvers": tuple(labels)})
    except (RequestError, TypeError) as error:
        raise RequestError(f"the sweep of baseline '{path}' cannot run: {error}") from error
    return missing, sweep if seeds is None else request(**{**sweep.model_dump(), "seeds": seeds})


def _print(findings: list[Finding], console: Console) -> None:
    """A block for each solver and variant, and how many verdicts there are of each kind."""
    blocks: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        blocks.setdefault((finding.solver, finding.variant), []).append(finding)
    for (solver, variant), block in blocks.items():
        images = max(finding.images for finding in block)
        where = f" on {variant}" * bool(variant) + f", {images} images" * bool(images)
        console.print(f"\n[bold]{escape(solver)}[/bold]{where}", highlight=False)
        lines = Table.grid(padding=(0, 2))
        for _ in ("verdict", "metric", "reason"):
            lines.add_column(overflow="fold")
        for finding in block:
            verdict = f"[{_STYLE[finding.verdict]}]{finding.verdict}[/]"
            lines.add_row(*filter(None, (f"  {verdict}", finding.metric)), escape(finding.words))
        console.print(lines)
    counts = {verdict: sum(finding.verdict is verdict for finding in findings) for verdict in Verdict}
    total = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    hint = "; more images or seeds would settle the inconclusive" if counts[Verdict.INCONCLUSIVE] else ""
    console.print(f"\n{total}{hint}", highlight=False)
