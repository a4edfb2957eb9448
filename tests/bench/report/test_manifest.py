"""What a manifest says of the command that made a run."""

from __future__ import annotations

import pytest

from bench.report.manifest import arguments


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        ("/somewhere/bench/__main__.py", ["run"]),
        ("/somewhere/bin/phasebench", ["run"]),
        ("sweep.py", []),
        ("/somewhere/jobs/__main__.py", []),
    ],
)
def test_the_arguments_of_another_program_are_not_ours(monkeypatch, called, expected):
    monkeypatch.setattr("sys.argv", [called, "run"])
    assert arguments() == expected
