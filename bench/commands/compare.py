"""`bench compare`: solvers of one run against each other, solvers in several runs, or pairs of one's choice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain, combinations
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rich.console import Console
from rich.text import Text

from bench.errors import NothingComparableError, RequestError
from bench.given import refuse_twice
from bench.report.finished import known_label, read_rows
from bench.report.settings import briefly, problem_of
from bench.report.terminal import labelled, output_console
from bench.score.by_image import on_common_measurements
from bench.score.statistics import CONFIDENCE, holm, paired
from bench.store.tables import write_csv
from bench.sweep.rows import GROUP, failed, score_of, scored
from datasets.problem import COLUMNS, Problem
from solvers.labels import split_labels

Run = tuple[Path, pd.DataFrame]  # a folder and its rows

_RUNS = ("run_a", "run_b")


class Pair(NamedTuple):
    """What is compared on one problem: two labels with their rows; and the runs, where there are several."""

    problem: Problem
    a: str
    b: str
    rows_a: pd.DataFrame
    rows_b: pd.DataFrame
    runs: tuple[str, str] | None = None


def compare(
    runs: Sequence[Path],
    *,
    solvers: tuple[str, ...] = (),
    variants: tuple[str, ...] = (),
    pairs: Sequence[str] = (),
    csv: Path | None = None,
    console: Console | None = None,
) -> pd.DataFrame:
    """Print the paired differences of a run, or of each two runs, and write them to `csv` where that is asked for.

    Args:
        pairs: labels that are compared, as A=B, comma-separated: A of one run with B of the same, or of a later one.
            Without any, all solvers of one run are compared, or each solver with itself in other runs.

    Raises:
        RequestError: a folder, a solver or a variant that is not there, or a folder that is given twice.
        NothingComparableError: fewer than two solvers, or no measurement in common.
    """
    console = console or output_console()
    refuse_twice(runs)
    asked = _read_pairs(pairs, alone=len(runs) == 1)
    if asked and solvers:
        raise RequestError("--pair names solvers by itself: leave out --solvers")
    solvers = tuple(map(known_label, solvers))
    rows = [_chosen(read_rows(run), solvers, variants, run) for run in runs]
    read = list(zip(runs, rows, strict=True))
    sides: list[tuple[Run, Run | None]] = [*combinations(read, 2)] or [(read[0], None)]
    table = difference_table(pair for one, other in sides for pair in _pairs(one, other, asked))
    if table.empty:
        first, *others = (f"'{run}'" for run in runs)
        alone = "no measurement in common" if asked else "fewer than two solvers"
        reason = f"no solver and measurement in common with {' or '.join(others)}" if others else alone
        raise NothingComparableError(f"nothing to compare in {first}: {reason}")
    if csv is not None:
        csv.parent.mkdir(parents=True, exist_ok=True)
        write_csv(csv, table)
    _print(table, console)
    for a, b in asked:
        if not ((table["a"] == a) & (table["b"] == b)).any():
            console.print(f"{a} and {b} have no measurement in common", style="red", markup=False, highlight=False)
    lost = sum(len(failed(one)) for one in rows)
    if lost:
        console.print(
            f"{lost} rows of solvers that failed count with the {_worst(table)} 1",
            style="red",
            highlight=False,
        )
    return table


def difference_table(pairs: Iterable[Pair]) -> pd.DataFrame:
    """One line for each pair: the paired difference of mse over images, corrected for the number of lines.

    Where nobody knows the objects, it is that of the residual, and `residual_a` and `residual_b` have its means.
    Where runs are compared, the columns `run_a` and `run_b` name them.
    """
    lines = []
    for pair in pairs:
        score = score_of(pair.rows_a)
        sides = on_common_measurements(scored(pair.rows_a), scored(pair.rows_b), [score])
        of_a, of_b = (part[score].to_numpy() for part in sides)
        if len(of_a):
            runs = {} if pair.runs is None else dict(zip(_RUNS, pair.runs, strict=True))
            means = {f"{score}_a": of_a.mean(), f"{score}_b": of_b.mean()}
            lines.append(
                {**runs, **pair.problem.columns(), "a": pair.a, "b": pair.b, **means, **asdict(paired(of_a, of_b))}
            )
    table = pd.DataFrame(lines)
    if lines:
        table["p_holm"] = holm(table["p"])
    return table


def _read_pairs(texts: Sequence[str], *, alone: bool) -> list[tuple[str, str]]:
    """The labels of A=B, C=D, …, canonical.

    Args:
        alone: there is a single run, in which nothing can be compared with itself.
    """
    found = []
    for text in chain.from_iterable(map(split_labels, texts)):
        labels = split_labels(text, "=")
        if len(labels) != 2:
            raise RequestError(
                f"--pair: cannot read '{text}': write two labels with = between them, as er=rrr[beta=0.8]"
            )
        a, b = map(known_label, labels)
        if alone and a == b:
            raise RequestError(f"--pair '{text}': in one run a solver differs from itself by nothing: name another one")
        found.append((a, b))
    return list(dict.fromkeys(found))


def _pairs(one: Run, other: Run | None, asked: list[tuple[str, str]]) -> Iterator[Pair]:
    """What is to be compared of two runs, or of a single one."""
    if asked:
        pairs = _pairs_asked(one, other or one, asked)
    else:
        pairs = _pairs_between(one[1], other[1]) if other else _pairs_within(one[1])
    for pair in pairs:
        yield pair._replace(runs=(str(one[0]), str(other[0]))) if other else pair


def _pairs_within(rows: pd.DataFrame) -> Iterator[Pair]:
    for _, group in rows.groupby(list(COLUMNS), sort=False):
        for (a, of_a), (b, of_b) in combinations(group.groupby("solver", sort=False), 2):
            yield Pair(problem_of(group.iloc[0]), str(a), str(b), of_a, of_b)


def _pairs_between(first: pd.DataFrame, second: pd.DataFrame) -> Iterator[Pair]:
    others = dict(iter(second.groupby(GROUP, sort=False)))
    for which, group in first.groupby(GROUP, sort=False):
        if which in others:
            solver = str(which[-1])
            yield Pair(problem_of(group.iloc[0]), solver, solver, group, others[which])


def _pairs_asked(one: Run, other: Run, asked: list[tuple[str, str]]) -> Iterator[Pair]:
    """The pairs that were asked for, on every problem that both runs have.

    Raises:
        RequestError: a run has no rows of a solver.
    """
    (run, first), (other_run, second) = one, other
    for a, b in asked:
        _require("solver", a, first, run)
        _require("solver", b, second, other_run)
    others = dict(iter(second.groupby(GROUP, sort=False)))
    groups = dict(iter(first.groupby(GROUP, sort=False)))
    for setting in dict.fromkeys(which[:-1] for which in groups):
        for a, b in asked:
            of_a, of_b = groups.get((*setting, a)), others.get((*setting, b))
            if of_a is not None and of_b is not None:
                yield Pair(problem_of(of_a.iloc[0]), a, b, of_a, of_b)


def _chosen(rows: pd.DataFrame, solvers: tuple[str, ...], variants: tuple[str, ...], run: Path) -> pd.DataFrame:
    for column, asked in (("solver", solvers), ("variant", variants)):
        for one in asked:
            _require(column, one, rows, run)
        if asked:  # in the order in which they were asked for
            rows = pd.concat([rows[rows[column] == one] for one in dict.fromkeys(asked)])
    return rows


def _require(column: str, value: str, rows: pd.DataFrame, run: Path) -> None:
    there = list(rows[column].unique())
    if value not in there:
        raise RequestError(f"'{run}' has no {column} '{value}': choose from {', '.join(there)}")


def _compared(table: pd.DataFrame) -> list[str]:
    """What the lines of a table of differences compare."""
    return [score for score in ("mse", "residual") if f"{score}_a" in table and table[f"{score}_a"].notna().any()]


def _worst(table: pd.DataFrame) -> str:
    """What of a failure is 1."""
    return " or ".join({"mse": "error"}.get(score, score) for score in _compared(table))


def _print(table: pd.DataFrame, console: Console) -> None:
    """A table for each two runs and problem, in which the solvers that A is compared with stand below it."""
    runs = [name for name in _RUNS if name in table]
    sides = [f"'{a}' − '{b}'" for a, b in table[runs].drop_duplicates().to_numpy()] if runs else []
    title = f"A − B: {sides[0]}" if len(sides) == 1 else "A − B"
    console.print(
        f"mean paired difference of {' or '.join(_compared(table))}, {title}, with its {CONFIDENCE:.0%} bootstrap "
        "interval over images; p of the signed-rank "
        f"test after Holm's correction for {len(table)}; share of images on which A is the better one",
        highlight=False,
        markup=False,
        style="dim",
    )
    words = briefly(map(problem_of, table.to_dict("records")))
    for (*_, images), part in table.groupby([*runs, *COLUMNS, "images"], sort=False):
        counted = f"{images} images" if images > 1 else "one image: no interval"
        head = f"{words[problem_of(part.iloc[0])]}, {counted}"
        (score,) = _compared(part)
        if score != "mse":
            head += "; nobody knows the objects: magnitude residuals in place of errors"
        if len(sides) > 1:
            head = f"'{part['run_a'].iloc[0]}' − '{part['run_b'].iloc[0]}': {head}"
        console.print(f"\n{head}", style="bold", highlight=False, markup=False)
        lines: list[list[str | Text]] = []
        for a, group in part.groupby("a", sort=False):
            alone = len(group) == 1 and group["b"].iloc[0] == a
            if not alone:
                lines.append([Text(str(a), "bold"), f"{group[f'{score}_a'].iloc[0]:.4f}", "", "", ""])
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
        header = ("A / − B", score, f"{CONFIDENCE:.0%} interval", "p", "A wins")
        console.print(labelled(header, lines, console.width))


def shown_p(p: float) -> str:
    """A p with two digits, as far as they mean something."""
    return f"{p:.2g}" if p >= 1e-4 else "<1e-4"
