"""What tells the problems of a table apart: a setting that is the same throughout is not shown to people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from datasets.problem import COLUMNS, Problem


def varying(table: pd.DataFrame) -> tuple[str, ...]:
    """The variant, and every other column of the problems that has more than one value."""
    return ("variant", *(name for name in COLUMNS if name != "variant" and table[name].nunique() > 1))


def problem_of(line: dict[str, Any] | pd.Series) -> Problem:
    """The problem that a line of a table is about."""
    return Problem(**{name: line[name] for name in COLUMNS})


def briefly(problems: Iterable[Problem]) -> dict[Problem, str]:
    """Each of these problems in the words that tell it from the others."""
    distinct = list(dict.fromkeys(problems))
    differing = [name for name in COLUMNS if len({getattr(problem, name) for problem in distinct}) > 1]
    names = ("variant", *(name for name in differing if name != "variant"))
    return {problem: problem.words(names) for problem in distinct}


def in_common(problems: Iterable[Problem]) -> str:
    """What is the same in all of these problems and differs from the paper's setting, in words; of one, all of that."""
    distinct = list(dict.fromkeys(problems))
    if len(distinct) == 1:
        return distinct[0].briefly()
    usual = Problem()
    names = ("split", "object", "photons", "mask")
    same = tuple(name for name in names if len({getattr(problem, name) for problem in distinct}) == 1)
    return distinct[0].words(tuple(name for name in same if getattr(distinct[0], name) != getattr(usual, name)))
