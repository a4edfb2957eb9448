"""`bench list` tells what there is, without anybody reading the code."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from doubles import Demanding, register_solvers

from datasets import DATASETS, VARIANTS
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


@pytest.mark.parametrize(("what", "entries"), [("variants", VARIANTS), ("datasets", DATASETS)])
def test_variants_and_data_sets_are_listed_and_described(bench, what, entries):
    done = bench("list", what)
    assert done.status == 0
    for name, description in entries.items():
        assert name in done.out
        assert words(description) in words(done.out)


def test_a_plug_in_that_does_not_work_is_listed_with_the_reason(bench, monkeypatch):
    from solvers import registry

    point = EntryPoint("bad", "a_module_that_is_not_here:Bad", registry.GROUP)
    monkeypatch.setattr(registry, "_plugins", lambda: {"bad": [point]})
    monkeypatch.setenv("COLUMNS", "300")
    done = bench("list", "solvers")
    assert done.status == 0
    assert "plug-in 'bad' (a_module_that_is_not_here:Bad) cannot be imported" in done.out


def test_a_plug_in_that_needs_a_parameter_is_listed(bench, monkeypatch):
    register_solvers(monkeypatch, Demanding)
    done = bench("list", "solvers")
    assert done.status == 0
    assert "demanding" in done.out
