"""`bench list` tells what there is, without anybody reading the code."""

from __future__ import annotations

import pytest
from doubles import Blank, Demanding, announce, register_solvers
from pydantic import Field

from datasets import VARIANTS, images
from solvers import Information
from solvers.registry import names, parameters, solver_class


def words(text: str) -> str:
    """The words of a table, without its frame and its line breaks."""
    return " ".join("".join(c if c.isascii() or c.isalpha() else " " for c in text).split())


def test_every_solver_is_listed_with_its_parameters_and_defaults(bench, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    done = bench("list", "solvers")
    assert done.status == 0
    for name in names():
        kind = solver_class(name)
        assert name in done.out
        assert kind.summary in done.out
        assert str(kind().information()) in done.out
        for parameter in parameters(kind):
            assert f"{parameter.name} = {parameter.default}" in done.out
            assert parameter.description in done.out


SETS = {name: images.source_class(name).summary for name in images.BUILT_IN}


@pytest.mark.parametrize(("what", "entries"), [("variants", VARIANTS), ("datasets", SETS)])
def test_variants_and_data_sets_are_listed_and_described(bench, what, entries):
    done = bench("list", what)
    assert done.status == 0
    for name, description in entries.items():
        assert name in done.out
        assert words(description) in words(done.out)


@pytest.mark.slow
def test_a_variant_is_described_by_itself(bench):
    done = bench("list", "flip")
    assert done.status == 0
    assert " ".join(VARIANTS["flip"].split()) in " ".join(done.out.split())
    assert "shift" not in done.out.split()


def test_a_plug_in_that_does_not_work_is_listed_with_the_reason(bench, monkeypatch, tmp_path):
    announce(tmp_path, "bad", "a_module_that_is_not_here:Bad")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    done = bench("list", "solvers")
    assert done.status == 0
    assert "plug-in 'bad' (a_module_that_is_not_here:Bad of bad 1.0) cannot be imported" in done.out


def test_a_plug_in_that_needs_a_parameter_is_listed(bench, monkeypatch):
    register_solvers(monkeypatch, Demanding)
    done = bench("list", "solvers")
    assert done.status == 0
    assert "demanding" in done.out
    assert "no default for strength" in done.out
    assert "strength needed" in done.out


class Coy(Blank):
    """Says nothing of itself, and tries to steer the terminal."""

    name = "coy"
    summary = "red \x1b[31m and [bold]loud\n"
    depth: int = Field(3, description="\x07[/nothing] of it")

    def information(self) -> Information:
        raise SystemExit(0)


def test_a_plug_in_that_does_not_say_what_it_uses_is_listed_beside_the_others(bench, monkeypatch):
    register_solvers(monkeypatch, Coy)
    monkeypatch.setenv("COLUMNS", "300")
    done = bench("list", "solvers")
    assert done.status == 0
    assert "it is not known what: solver 'coy' cannot say what it uses: SystemExit: 0" in done.out
    assert "[bold]loud" in done.out
    assert "[/nothing] of it" in done.out
    assert all(character.isprintable() for character in done.out.replace("\n", ""))
    assert all(name in done.out for name in names())
