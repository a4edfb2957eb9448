"""What is drawn of a run: its tables and pictures as they lie on disk, each read when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd

from bench.errors import NothingStoredError, RequestError
from bench.report.curves import read_curves
from bench.report.finished import known_label, read_rows, read_table, with_canonical_labels
from bench.report.pictures import Picture, kept_pictures
from bench.report.timing import TIMING
from bench.score.references import USES
from bench.sweep.rows import GROUP
from datasets.problem import COLUMNS, Problem

SUMMARY = "summary.csv"


class Source:
    """A finished run, or the part of it that is to be drawn.

    Every attribute raises a RequestError where its file is damaged, and a NothingStoredError where there is none.
    """

    def __init__(self, folder: Path, solvers: Sequence[str] = (), where: Mapping[str, str] | None = None) -> None:
        """Of the run in this folder.

        Args:
            solvers: labels, in the order in which they are drawn; all of them if there are none.
            where: values of columns of the problem; others are left out.

        Raises:
            RequestError: there is no finished run, or not with these solvers and problems.
        """
        self.folder = folder
        self._solvers = [known_label(label) for label in solvers]
        self._where = dict(where or {})
        self._check(self._lines[~_is_reference(self._lines)])

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A line for each problem and solver (`tables.summarise`)."""
        return self._chosen(self._lines[~_is_reference(self._lines)])

    @property
    def knows_truth(self) -> bool:
        """Whether every solver has an error: there is none where nobody knows the objects."""
        return bool(self.summary["mse"].notna().all())

    @cached_property
    def references(self) -> pd.DataFrame:
        """The same, of what uses the truth (`bench.score.references`); without a line where the run has none."""
        return self._of_chosen_problems(self._lines[_is_reference(self._lines)]).reset_index(drop=True)

    @cached_property
    def timing(self) -> pd.DataFrame:
        """The same, of their cost (`timing.timing_table`)."""
        return self._chosen(with_canonical_labels(read_table(self.folder, TIMING), GROUP))

    @cached_property
    def rows(self) -> pd.DataFrame:
        """A row for each problem, solver, seed and image."""
        return self._chosen(read_rows(self.folder))

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A line for each check of each solver (`curves.read_curves`)."""
        found = self._chosen(read_curves(self.folder))
        if found.empty:
            raise NothingStoredError(f"'{self.folder}' has no convergence curves of what is asked for")
        return found

    @cached_property
    def pictures(self) -> list[Picture]:
        """The pictures of the first seed of each problem and solver."""
        found = [picture for picture in kept_pictures(self.folder) if self._is_chosen(picture)]
        if not found:
            raise NothingStoredError(f"'{self.folder}' has no pictures of what is asked for")
        if self._solvers:
            found.sort(key=lambda picture: self._solvers.index(picture.solver))
        first: dict[tuple[Problem, str], int] = {}
        return [one for one in found if one.seed == first.setdefault((one.problem, one.solver), one.seed)]

    @cached_property
    def labels(self) -> list[str]:
        """The solvers that are drawn."""
        return list(self.summary["solver"].unique())

    @cached_property
    def _lines(self) -> pd.DataFrame:
        return with_canonical_labels(read_table(self.folder, SUMMARY), GROUP)

    def _check(self, summary: pd.DataFrame) -> None:
        asked = [*(("solver", label) for label in self._solvers), *self._where.items()]
        for column, value in asked:
            if column not in (*COLUMNS, "solver"):
                raise RequestError(f"a problem has no '{column}': choose from {', '.join(COLUMNS)}")
            there = list(summary[column].unique())
            if not any(_same(one, value) for one in there):
                choices = ", ".join(map(_shown, there))
                raise RequestError(f"'{self.folder}' has no {column} '{value}': choose from {choices}")
        if self._chosen(summary).empty:
            raise RequestError(f"'{self.folder}' has no problem that is all of this")

    def _of_chosen_problems(self, table: pd.DataFrame) -> pd.DataFrame:
        for column, value in self._where.items():
            table = table[[_same(one, value) for one in table[column]]]
        return table

    def _chosen(self, table: pd.DataFrame) -> pd.DataFrame:
        table = self._of_chosen_problems(table)
        if self._solvers:
            table = pd.concat([table[table["solver"] == label] for label in self._solvers])
        return table.reset_index(drop=True)

    def _is_chosen(self, picture: Picture) -> bool:
        columns = picture.problem.columns()
        return (not self._solvers or picture.solver in self._solvers) and all(
            _same(columns[column], value) for column, value in self._where.items()
        )


def _is_reference(lines: pd.DataFrame) -> pd.Series:
    return lines["information"] == USES


def _same(one: object, asked: str) -> bool:
    """Whether a value of a table is the one that is asked for: 1e5 is 100000, and none is no noise."""
    try:
        return float(str(one)) == float("inf" if asked == "none" else asked)
    except ValueError:
        return str(one) == asked


def _shown(value: object) -> str:
    return "none" if value == float("inf") else f"{value:g}" if isinstance(value, float) else str(value)
