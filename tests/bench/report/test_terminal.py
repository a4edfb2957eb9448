"""Nothing that comes from a label, a file or an error reaches the terminal as a command."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from finished_runs import BOX, solved
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.report.tables import summarise
from bench.report.terminal import Terminal, labelled, print_diverged, print_failures, print_summary
from bench.sweep.rows import failed

HOSTILE = "\x1b[2J\x1b]0;title\x9b\ud800 mine\u202e"
SHOWN = r"\x1b[2J\x1b]0;title\x9b\ud800 mine\u202e"


def table() -> Table:
    grid = Table.grid()
    grid.add_row(escape(HOSTILE))
    return grid


@pytest.mark.parametrize("what", [escape(HOSTILE), Text(HOSTILE, "red"), table()], ids=["markup", "text", "table"])
def test_what_a_terminal_might_obey_is_shown_instead(what):
    screen = io.StringIO()
    Terminal(file=screen, width=200, force_terminal=False).print(what)
    assert screen.getvalue().rstrip() == SHOWN[: len(screen.getvalue().rstrip())]


def test_the_brackets_of_a_problem_are_no_markup():
    screen = io.StringIO()
    Terminal(file=screen, width=80).print(labelled(["solver", "complex[phase=1.5]"], [["er", "0.5"]], 80))
    assert "complex[phase=1.5]" in screen.getvalue()


def test_its_own_colours_and_lines_stay():
    screen = io.StringIO()
    Terminal(file=screen, width=40, force_terminal=True, color_system="standard").print("[red]one[/red]\ntwo")
    assert screen.getvalue() == "\x1b[31mone\x1b[0m\ntwo\n"


def test_every_console_is_such_a_terminal():
    makers = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "bench").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Console"
        if not any(keyword.arg == "quiet" for keyword in node.keywords)
    ]
    assert makers == []


def test_all_information_that_a_solver_used_is_said_and_none_of_one_that_failed():
    rows = [solved("er", [0.1], "support: box", variant="none"), solved("er", [0.1], BOX, variant="flip")]
    screen = io.StringIO()
    summary = summarise(pd.concat([*rows, solved("rrr", [1.0], "", status="failed")], ignore_index=True))
    print_summary(summary, Terminal(file=screen, width=200))
    assert [line for line in screen.getvalue().splitlines() if " used " in line] == [f"er used support: box, or {BOX}"]


def test_what_failed_and_what_diverged_is_counted_alike():
    def lost(solver: str, status: str) -> pd.DataFrame:
        parts = [
            solved(solver, np.ones(8), "", variant=v, seed=s, status=status) for v in ("none", "flip") for s in (0, 1)
        ]
        return pd.concat(parts, ignore_index=True)

    screen = io.StringIO()
    console = Terminal(file=screen, width=200)
    print_diverged(lost("er", "diverged"), console)
    print_failures(failed(lost("rrr", "failed")), Path("run"), console)
    assert screen.getvalue().splitlines()[:2] == [
        "er diverged 32 times",
        "rrr failed 32 times: RuntimeError: out of light",
    ]


def test_different_numbers_of_images_are_named_as_a_range():
    def said(**counts: int) -> str:
        screen = io.StringIO()
        parts = [solved("unet_a", np.zeros(count), variant=variant) for variant, count in counts.items()]
        print_summary(summarise(pd.concat(parts, ignore_index=True)), Terminal(file=screen, width=200))
        return " ".join(screen.getvalue().split())

    assert "of which this is a subset of 3 to 64)" in said(none=64, flip=3, shift=8)
    assert "of which this is a subset of 64 to 10000)" in said(none=10_000, flip=64)
    assert "of which this is a subset of 5)" in said(none=5, flip=5)
    assert "subset" not in said(none=10_000)
