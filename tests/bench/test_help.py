"""What the help says is what was written, and its examples work."""

from __future__ import annotations

import shlex

import pytest
import typer

from bench import cli
from bench.request import request

GROUP = typer.main.get_command(cli.app)
COMMANDS = GROUP.commands


def words(text: str) -> str:
    """A text as it would be in one line: a line of help may be broken between words, or at a hyphen."""
    return " ".join(text.split()).replace("- ", "-")


def examples(name: str) -> list[str]:
    return [line.strip() for line in COMMANDS[name].epilog.splitlines() if "python -m bench" in line]


EXAMPLES = [example for name in COMMANDS for example in examples(name)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_text_of_a_command_is_shown_as_it_was_written(bench, name):
    done = bench(name, "--help")
    assert done.status == 0
    shown = words(done.out)
    assert words(COMMANDS[name].help) in shown
    for parameter in COMMANDS[name].params:
        assert parameter.help
        assert words(parameter.help) in shown
        assert all(spelling in shown for spelling in parameter.opts)
    assert examples(name)
    assert set(examples(name)) <= {line.strip() for line in done.out.splitlines()}


def test_every_command_is_listed_with_the_whole_of_its_purpose(bench):
    shown = words(bench("--help").out)
    for name, command in COMMANDS.items():
        assert f"{name} {words(command.help)}" in shown


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_command_that_can_be_given(example):
    python, _, bench, name, *arguments = shlex.split(example)
    assert (python, bench) == ("python", "bench")
    given = COMMANDS[name].make_context(name, arguments).params
    if name in ("run", "baseline"):
        request(**{key: given[key] for key in ("solvers", "variants", "images", "photons") if key in given})
