"""What the help says is what was written, and its examples work."""

from __future__ import annotations

import inspect
import re
import shlex
from typing import get_args

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


NUMBERS = [
    (name, parameter.opts[0])
    for name, command in COMMANDS.items()
    for parameter in command.params
    if parameter.metavar in ("INTEGER", "FLOAT")
]


@pytest.mark.parametrize(("name", "option"), NUMBERS)
def test_what_is_no_number_is_refused_with_what_it_is(bench, name, option):
    done = bench(name, option, "many")
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert f"'{option}'" in done.err
    assert re.search(r"takes a (whole )?number", done.err)
    assert "'many'" in done.err


def test_no_number_is_left_to_the_words_of_the_library():
    options = [
        (command.callback.__name__, name, get_args(parameter.annotation))
        for command in cli.app.registered_commands
        for name, parameter in inspect.signature(command.callback, eval_str=True).parameters.items()
    ]
    numbers = [option for option in options if option[2][0] in (int, int | None, float, float | None)]
    assert len(numbers) == len(NUMBERS)
    assert not [option for option in numbers if option[2][1].parser is None]


def test_a_number_of_images_in_a_gallery_is_not_negative(bench):
    assert "takes a whole number of at least 0, not '-1'" in bench("plot", "runs/none", "--worst", "-1").err
