"""Tables of a run for other programs: CSV with every digit, Markdown and LaTeX with those that mean something.

In Markdown and LaTeX a mean stands with its interval in one cell, rounded to two digits of half the interval's width.
Every text is escaped: a label or a reason comes from anywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from bench.errors import RequestError, one_line
from bench.report.settings import varying
from bench.store.tables import csv_text
from datasets.problem import COLUMNS

FORMATS = ("csv", "markdown", "latex")
# Tables, and what is shown of them to people besides the columns of the problems that vary; None for all.
TABLES: dict[str, tuple[str, ...] | None] = {
    "summary": ("information", "images", "mse", "median", "success_rate", "transforms"),
    "per_image": ("seed", "image", "status", "mse", "residual", "iterations", "transforms"),
    "table1": None,
    "table2": None,
    "timing": (
        "images",
        "solve_ms_per_image_median",
        "solve_cpu_ms_per_image_median",
        "transforms_per_image",
        "kernel",
    ),
}
UNKNOWN = ("information", "images", "residual", "agreement", "transforms")  # of a summary without errors
SHARES = ("success_rate", "strict_success_rate", "near_limit_rate", "agreement")
BOUNDS = {
    "mse": ("mse_low", "mse_high"),
    "success_rate": ("success_low", "success_high"),
    "near_limit_rate": ("near_limit_low", "near_limit_high"),
}
BOUNDS |= {
    f"{name}_median": (f"{name}_low", f"{name}_high")
    for name in ("solve_ms_per_image", "solve_cpu_ms_per_image", "score_ms_per_image", "setup_ms", "latency_ms")
}
HEADS = {
    "success_rate": "below 0.01",
    "strict_success_rate": "below 0.0001",
    "near_limit_rate": "near the limit",
    "information": "uses",
    "agreement": "seeds that agree",
    "paper_mse": "paper",
    "solve_ms_per_image_median": "ms an image",
    "solve_cpu_ms_per_image_median": "processor ms an image",
    "transforms_per_image": "transforms",
    "within_ms": "within ms",
    "ms_per_image": "ms an image",
}

_DECIMALS = 6  # from more on, a number is written with a power of ten
_LATEX = {
    **{character: f"\\{character}" for character in "{}$&#%_"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    "`": r"\textasciigrave{}",
    "−": "$-$",
    "–": r"\textendash{}",
    "×": r"$\times$",
    "∞": r"$\infty$",
    "…": r"\dots{}",
}


def export(table: pd.DataFrame, name: str, form: str, columns: Sequence[str] = ()) -> str:
    """A table as text.

    Args:
        table: as it lies in the folder of a run.
        name: of TABLES.
        form: of FORMATS.
        columns: what is shown; without them all in CSV, and what people look at otherwise.

    Raises:
        RequestError: there is no such column, or one is named twice.
    """
    repeated = next((column for i, column in enumerate(columns) if column in columns[:i]), None)
    if repeated is not None:
        raise RequestError(f"--columns: '{repeated}' is named twice")
    for column in columns:
        if column not in table.columns:
            raise RequestError(f"--columns: '{name}' has no column '{column}': choose from {', '.join(table.columns)}")
    if form == "csv":
        return csv_text(table[list(columns)] if columns else table)
    shown = list(columns) or _usual(table, name)
    lines = list(zip(*(cells(table, column, _FORMS[form]) for column in shown), strict=True))
    right = [is_numeric_dtype(table[column]) and not is_bool_dtype(table[column]) for column in shown]
    heads = [_head(table, column, _FORMS[form]) for column in shown]
    return _FORMS[form].table(heads, right, lines)


def _usual(table: pd.DataFrame, name: str) -> list[str]:
    known = TABLES[name]
    if known is None:  # a bound stands in the cell of its mean
        bounds = {bound for column in table.columns for bound in BOUNDS.get(column, ())}
        return [column for column in table.columns if column not in bounds]
    if name == "summary" and table["mse"].isna().all():  # of measured patterns
        known = UNKNOWN
    return [column for column in ("solver", *varying(table), *known) if column in table.columns]


def _head(table: pd.DataFrame, column: str, form: Form) -> str:
    """The head of a column. In Table 1 the columns are solvers."""
    if "solver" not in table.columns and column not in COLUMNS:
        return form.label(column)
    return form.text(HEADS.get(column, column.replace("_", " ")))


class Markdown:
    """Tables as GitHub reads them."""

    @staticmethod
    def text(text: str) -> str:
        plain = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
        return "".join(f"\\{character}" if character in "\\`*_[]|~#" else character for character in plain)

    @classmethod
    def label(cls, label: str) -> str:
        """Code, in which nothing but the end of a cell has a meaning."""
        plain = one_line(label)
        return cls.text(plain) if "`" in plain or "\\" in plain else f"`{plain}`".replace("|", "\\|")

    @staticmethod
    def power(digits: str, exponent: int) -> str:
        return f"{digits}e{exponent}"

    @staticmethod
    def percent(digits: str) -> str:
        return f"{digits}%"

    @staticmethod
    def table(heads: Sequence[str], right: Sequence[bool], lines: Sequence[Sequence[str]]) -> str:
        rule = ["---:" if one else "---" for one in right]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, rule, *lines))


class Latex:
    """Tables of the package booktabs."""

    @staticmethod
    def text(text: str) -> str:
        escaped = "".join(_LATEX.get(character, character) for character in one_line(text))
        return re.sub("-(?=-)", "-{}", escaped)  # two hyphens would become a dash

    @classmethod
    def label(cls, label: str) -> str:
        return f"\\texttt{{{cls.text(label)}}}"

    @staticmethod
    def power(digits: str, exponent: int) -> str:
        return rf"${digits}\times10^{{{exponent}}}$"

    @staticmethod
    def percent(digits: str) -> str:
        return rf"{digits}\,\%"

    @staticmethod
    def table(heads: Sequence[str], right: Sequence[bool], lines: Sequence[Sequence[str]]) -> str:
        def row(cells: Sequence[str]) -> str:
            text = " & ".join(cells)
            return f"{{}}{text} \\\\" if text[:1] in ("[", "*") else f"{text} \\\\"  # which \\ would take for its own

        kinds = "".join("r" if one else "l" for one in right)
        body = [
            rf"\begin{{tabular}}{{{kinds}}}",
            r"\toprule",
            row(heads),
            r"\midrule",
            *map(row, lines),
            r"\bottomrule",
        ]
        return "\n".join([r"% needs \usepackage{booktabs}", *body, r"\end{tabular}", ""])


Form = type[Markdown] | type[Latex]
_FORMS: dict[str, Form] = {"markdown": Markdown, "latex": Latex}


def cells(table: pd.DataFrame, column: str, form: Form) -> list[str]:
    """A column as it is shown: of a mean with its interval, which other columns of the table have."""
    values = table[column]
    if is_bool_dtype(values):
        return ["yes" if value else "no" for value in values]
    if not is_numeric_dtype(values):
        write: Callable[[str], str] = form.label if column == "solver" else form.text
        missing = form.text("none") if column == "solver" else ""
        return [missing if pd.isna(value) else write(str(value)) for value in values]
    low, high = (table[bound] if bound in table.columns else None for bound in BOUNDS.get(column, ("", "")))
    if low is None or high is None:
        return [_number(value, form, share=column in SHARES) for value in values]
    return [_with_interval(*three, form, column in SHARES) for three in zip(values, low, high, strict=True)]


def _with_interval(value: float, low: float, high: float, form: Form, share: bool) -> str:
    half = (high - low) / 2
    if not (math.isfinite(half) and math.isfinite(value)):
        return _number(value, form, share)
    scale = 100 if share else 1
    decimals = max(0, 1 - math.floor(math.log10(scale * half))) if half > 0 else 2 if share else 4
    if decimals > _DECIMALS:
        return f"{_power(value, form)} [{_power(low, form)}, {_power(high, form)}]"
    digits = [f"{scale * one:.{decimals}f}" for one in (value, low, high)]
    return f"{form.percent(digits[0]) if share else digits[0]} [{digits[1]}, {digits[2]}]"


def _number(value: float, form: Form, share: bool = False) -> str:
    """Three digits, and all before the point."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return form.text("∞" if value > 0 else "−∞")
    if share:
        return form.percent(f"{100 * value:.1f}")
    if value == int(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    exponent = math.floor(math.log10(abs(value)))
    return f"{value:.{max(0, 2 - exponent)}f}" if -4 <= exponent < 6 else _power(value, form)


def _power(value: float, form: Form) -> str:
    if value == 0:
        return "0"
    digits, exponent = f"{value:.1e}".split("e")
    return form.power(digits.removesuffix(".0"), int(exponent))
