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
from datasets.problem import Problem

NOT_SAID = "not known"  # of a solver that failed on every image


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

    def called(self, line: dict[str, Any]) -> str:
        """A solver; of several runs, with the name of its own."""
        label = visible(str(line["solver"]))
        return f"{line['run']}: {label}" if len(self.runs) > 1 else label

    @property
    def information(self) -> list[str]:
        """The kinds of information that solvers used; those of few words come first."""
        return sorted({uses(line) for line in self.lines} - {NOT_SAID}, key=lambda kind: (kind.count(","), kind))


def uses(line: dict[str, Any]) -> str:
    """The information that a solver used."""
    return visible(line["information"]) or NOT_SAID
