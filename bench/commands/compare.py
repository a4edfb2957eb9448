"""`bench compare`: solvers of one run against each other, or the same solvers in two runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.text import Text

from bench.errors import NothingComparableError, RequestError
from bench.report.finished import known_label, read_rows
from bench.report.settings import briefly, problem_of
from bench.report.terminal import labelled, output_console
from bench.score.by_image import on_common_measurements
from bench.score.statistics import CONFIDENCE, holm, paired
from bench.store.folder import write_csv
from bench.sweep.rows import GROUP, failed
from datasets.problem import COLUMNS, Problem

Pair = tuple[Problem, str, str, pd.DataFrame, pd.DataFrame]  # a problem, a, b, and the rows of each


def compare(
    run: Path,
    other: Path | None = None,
    *,
    solvers: tuple[str, ...] = (),
    variants: tuple[str, ...] = (),
    csv: Path | None = None,
    console: Console | None = None,
) -> pd.DataFrame:
    """Print the paired differences of a run, and write them to `csv` where that is asked for.

    Raises:
        RequestError: a folder, a solver or a variant that is not there.
        NothingComparableError: fewer than two solvers, or no measurement in common.
    """
    console = console or output_console()
    solvers = tuple(map(known_label, solvers))
    first = _chosen(read_rows(run), solvers, variants, run)
    second = None if other is None else _chosen(read_rows(other), solvers, variants, other)
    table = difference_table(_pairs_within(first) if second is None else _pairs_between(first, second))
    if table.empty:
        reason = "fewer than two solvers" if other is None else f"no solver and measurement in common with '{other}'"
        raise NothingComparableError(f"nothing to compare in '{run}': {reason}")
    if csv is not None:
        csv.parent.mkdir(parents=True, exist_ok=True)
        write_csv(csv, table)
    _print(table, "A − B" if other is None else f"A − B: '{run}' − '{other}'", console)
    lost = sum(len(failed(rows)) for rows in (first, second) if rows is not None)
    if lost:
        console.print(f"{lost} rows of solvers that failed count with the error 1", style="red", highlight=False)
    return table


def difference_table(pairs: Iterator[Pair]) -> pd.DataFrame:
    """One line for each pair: the paired difference of mse over images, corrected for the number of lines."""
    lines = []
    for problem, a, b, rows_a, rows_b in pairs:
        of_a, of_b = (part["mse"].to_numpy() for part in on_common_measurements(rows_a, rows_b, ["mse"]))
        if len(of_a):
            means = {"mse_a": of_a.mean(), "mse_b": of_b.mean()}
            lines.append({**problem.columns(), "a": a, "b": b, **means, **asdict(paired(of_a, of_b))})
    table = pd.DataFrame(lines)
    if lines:
        table["p_holm"] = holm(table["p"])
    return table


def _pairs_within(rows: pd.DataFrame) -> Iterator[Pair]:
    for _, group in rows.groupby(list(COLUMNS), sort=False):
        for (a, of_a), (b, of_b) in combinations(group.groupby("solver", sort=False), 2):
            yield problem_of(group.iloc[0]), str(a), str(b), of_a, of_b


def _pairs_between(first: pd.DataFrame, second: pd.DataFrame) -> Iterator[Pair]:
    others = dict(iter(second.groupby(GROUP, sort=False)))
    for which, group in first.groupby(GROUP, sort=False):
        if which in others:
            solver = str(which[-1])
            yield problem_of(group.iloc[0]), solver, solver, group, others[which]


def _chosen(rows: pd.DataFrame, solvers: tuple[str, ...], variants: tuple[str, ...], run: Path) -> pd.DataFrame:
    for column, asked in (("solver", solvers), ("variant", variants)):
        there = list(rows[column].unique())
        for one in asked:
            if one not in there:
                raise RequestError(f"'{run}' has no {column} '{one}': choose from {', '.join(there)}")
        if asked:  # in the order in which they were asked for
            rows = pd.concat([rows[rows[column] == one] for one in dict.fromkeys(asked)])
    return rows


def _print(table: pd.DataFrame, title: str, console: Console) -> None:
    """A table for each problem, in which the solvers that A is compared with stand below it."""
    console.print(
        f"mean paired difference of mse, {title}, with its {CONFIDENCE:.0%} bootstrap interval over images; p of the "
        f"signed-rank test after Holm's correction for {len(table)}; share of images on which A is the better one",
        highlight=False,
        markup=False,
        style="dim",
    )
    words = briefly(map(problem_of, table.to_dict("records")))
    for (*_, images), part in table.groupby([*COLUMNS, "images"], sort=False):
        counted = f"{images} images" if images > 1 else "one image: no interval"
        console.print(f"\n{words[problem_of(part.iloc[0])]}, {counted}", style="bold", highlight=False, markup=False)
        lines: list[list[str | Text]] = []
        for a, group in part.groupby("a", sort=False):
            alone = len(group) == 1 and group["b"].iloc[0] == a
            if not alone:
                lines.append([Text(str(a), "bold"), f"{group['mse_a'].iloc[0]:.4f}", "", "", ""])
            lines += [
                [
                    line["b"] if alone else f"− {line['b']}",
                    f"{line['difference']:+.4f}",
                    f"[{line['low']:+.4f}, {line['high']:+.4f}]" if images > 1 else "",
                    shown_p(line["p_holm"]),
                    f"{line['win_rate']:.0%}",
                ]
                for line in group.to_dict("records")
            ]
        header = ("A / − B", "mse", f"{CONFIDENCE:.0%} interval", "p", "A wins")
        console.print(labelled(header, lines, console.width))


def shown_p(p: float) -> str:
    """A p with two digits, as far as they mean something."""
    return f"{p:.2g}" if p >= 1e-4 else "<1e-4"
