"""What is drawn of a run: its tables and pictures as they lie on disk, each read when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd

from bench.errors import RequestError
from bench.report.curves import read_curves
from bench.report.finished import known_label, read_rows, read_table, with_canonical_labels
from bench.report.pictures import Picture, kept_pictures
from bench.report.timing import TIMING
from bench.sweep.rows import GROUP
from datasets.problem import COLUMNS

SUMMARY = "summary.csv"


class Source:
    """A finished run, or the part of it that is to be drawn.

    Args:
        folder: of the run.
        solvers: labels, in the order in which they are drawn; all of them if there are none.
        where: values of columns of the problem; others are left out.

    Every attribute raises a RequestError where the run is not there or damaged, or has nothing of that.
    """

    def __init__(self, folder: Path, solvers: Sequence[str] = (), where: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._solvers = [known_label(label) for label in solvers]
        self._where = dict(where or {})
        for column in self._where:
            if column not in COLUMNS:
                raise RequestError(f"a problem has no '{column}': choose from {', '.join(COLUMNS)}")

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A line for each problem and solver (`tables.summarise`)."""
        return self._chosen(with_canonical_labels(read_table(self.folder, SUMMARY), GROUP))

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
        return self._chosen(read_curves(self.folder))

    @cached_property
    def pictures(self) -> list[Picture]:
        """The pictures of the first seed."""
        found = [picture for picture in kept_pictures(self.folder) if self._is_chosen(picture)]
        found = [picture for picture in found if picture.seed == found[0].seed]
        if self._solvers:
            found.sort(key=lambda picture: self._solvers.index(picture.solver))
        if not found:
            raise RequestError(f"'{self.folder}' has no pictures of what is asked for")
        return found

    @cached_property
    def labels(self) -> list[str]:
        """The solvers that are drawn."""
        return list(self.summary["solver"].unique())

    def _chosen(self, table: pd.DataFrame) -> pd.DataFrame:
        for column, value in self._where.items():
            found = table[[_same(one, value) for one in table[column]]]
            if found.empty and len(table):
                choices = ", ".join(_shown(one) for one in table[column].unique())
                raise RequestError(f"'{self.folder}' has no {column} '{value}': choose from {choices}")
            table = found
        there = list(table["solver"].unique())
        for label in self._solvers:
            if label not in there and label not in self._known:
                raise RequestError(f"'{self.folder}' has no solver '{label}': choose from {', '.join(there)}")
        if self._solvers:
            table = pd.concat([table[table["solver"] == label] for label in self._solvers])
        return table.reset_index(drop=True)

    @cached_property
    def _known(self) -> set[str]:
        return set(with_canonical_labels(read_table(self.folder, SUMMARY), GROUP)["solver"])

    def _is_chosen(self, picture: Picture) -> bool:
        columns = picture.problem.columns()
        return (not self._solvers or picture.solver in self._solvers) and all(
            _same(columns[column], value) for column, value in self._where.items()
        )


def _same(one: object, asked: str) -> bool:
    """Whether a value of a table is the one that is asked for: 1e5 is 100000, and none is no noise."""
    try:
        return float(str(one)) == float("inf" if asked == "none" else asked)
    except ValueError:
        return str(one) == asked


def _shown(value: object) -> str:
    return "none" if value == float("inf") else f"{value:g}" if isinstance(value, float) else str(value)
