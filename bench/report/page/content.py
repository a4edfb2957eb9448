"""What all sections of a page look at: the lines of all its runs, and how each solver and problem is called on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from bench.errors import visible
from bench.report.page.runs import Run
from bench.report.settings import problem_of, varying
from bench.sweep.rows import GROUP
from datasets.problem import Problem
from solvers import Status

NOT_SAID = "not known"  # of a solver that failed on every image
ANSWERED = (Status.SOLVED, Status.STOPPED)  # with an image, whose error was measured


@dataclass(frozen=True)
class Content:
    """The runs of a page."""

    runs: Sequence[Run]

    @cached_property
    def table(self) -> pd.DataFrame:
        """The summaries of all runs, one below the other."""
        return pd.concat([run.lines for run in self.runs], ignore_index=True)

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        return self.table.to_dict("records")

    @cached_property
    def problems(self) -> dict[Problem, str]:
        """Each problem, in the words that tell it from the others."""
        names = tuple(self.axes) or ("variant",)
        return {problem: problem.words(names) for problem in map(problem_of, self.lines)}

    @cached_property
    def unknown(self) -> frozenset[Problem]:
        """The problems whose objects nobody knows: their lines have residuals in place of errors."""
        return frozenset(problem_of(line) for line in self.lines if math.isnan(line["mse"]))

    @cached_property
    def axes(self) -> list[str]:
        """The settings in which the problems differ."""
        return [name for name in varying(self.table) if self.table[name].nunique() > 1]

    def of(self, problem: Problem) -> list[dict[str, Any]]:
        """The lines about a problem."""
        return [line for line in self.lines if problem_of(line) == problem]

    def rows(self, line: dict[str, Any]) -> pd.DataFrame:
        """The rows that a line sums up."""
        return self._rows[line["run"], *(line[name] for name in GROUP)]

    @cached_property
    def _rows(self) -> dict[tuple, pd.DataFrame]:
        """By run, problem and solver."""
        return {(run.name, *which): rows for run in self.runs for which, rows in run.rows.groupby(GROUP, sort=False)}

    def answered(self, line: dict[str, Any]) -> bool:
        """Whether a solver gave an image at all: what failed or diverged has an error by convention only."""
        return bool(self.rows(line)["status"].isin(ANSWERED).any())

    def called(self, line: dict[str, Any]) -> str:
        """A solver; of several runs, with the name of its own."""
        label = visible(str(line["solver"]))
        return f"{line['run']}: {label}" if len(self.runs) > 1 else label

    @property
    def information(self) -> list[str]:
        """The kinds of information that solvers used which gave an image; those of few words come first."""
        kinds = {uses(line) for line in self.lines if self.answered(line)}
        return sorted(kinds, key=lambda kind: (kind.count(","), kind))


def uses(line: dict[str, Any]) -> str:
    """The information that a solver used."""
    return visible(line["information"]) or NOT_SAID
