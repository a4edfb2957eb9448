"""Command line, files and model know the same options: those of one table."""

from __future__ import annotations

import pytest
import typer

from bench import cli
from bench.options import AXES, OPTIONS, RECORDED, field, flag
from bench.request import Sweep
from datasets import VARIANTS
from datasets.problem import COLUMNS

COMMANDS = typer.main.get_command(cli.app).commands
OF_A_SWEEP = {*map(flag, OPTIONS)}


def flags(command: str) -> set[str]:
    return {spelling for parameter in COMMANDS[command].params for spelling in parameter.opts}


def test_the_model_has_these_options_with_these_defaults_and_words():
    assert list(Sweep.model_fields) == list(OPTIONS)
    for name, option in OPTIONS.items():
        assert Sweep.model_fields[name].description == option.about
        if name != "executor":  # which the tests choose
            assert Sweep.model_fields[name].default == option.default


def test_run_takes_all_of_them_and_a_baseline_those_that_it_records():
    assert flags("run") & OF_A_SWEEP == OF_A_SWEEP
    assert flags("baseline") & OF_A_SWEEP == {flag(name) for name in (*RECORDED, "data_dir")}


def test_the_axes_are_settings_of_a_problem():
    assert {*AXES.values()} == {*COLUMNS} - {"dataset", "split"}
    assert OPTIONS["variants"].default == tuple(VARIANTS)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_has_one_meaning_in_every_spelling(name):
    assert field(name) == field(name.replace("_", "-")) == field(flag(name).removeprefix("--")) == name


def test_what_holds_without_an_option_is_said_with_it():
    assert OPTIONS["images"].help.endswith("from the first on; 256 if absent.")
    assert OPTIONS["photons"].help.endswith("; none if absent.")
