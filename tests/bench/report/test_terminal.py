"""Nothing that comes from a label, a file or an error reaches the terminal as a command."""

from __future__ import annotations

import ast
import io

import pytest
from conftest import ROOT
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.report.terminal import Terminal, labelled

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
