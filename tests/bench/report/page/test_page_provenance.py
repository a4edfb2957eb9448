"""From a page alone a run can be repeated and its files be recognised."""

from __future__ import annotations

import hashlib

from finished_runs import finished, solved

from bench.report.page.content import Content
from bench.report.page.provenance import provenance
from bench.report.page.runs import read_runs
from bench.request import request


def told(folder):
    (run,) = provenance(Content(read_runs([folder])))["runs"]
    return run


def test_the_options_on_the_page_are_a_file_that_asks_for_the_same_sweep(tmp_path):
    sweep = request(
        solvers='rrr[nonneg=true],hio[support="shrinkwrap[sigma=3:1]"]',
        photons="none,1e6",
        frame="42,40x48",
        objects="real,complex[phase=1.5]",
        images=3,
    )
    folder = finished(tmp_path / "run", solved("er", [0.1]), sweep=sweep.model_dump(mode="json"))
    config = tmp_path / "sweep.toml"
    config.write_text(told(folder)["sweep"], encoding="utf-8")
    assert request(config) == sweep


def test_the_commands_are_quoted_for_a_shell_and_the_code_is_named(tmp_path):
    argv = ["run", "--solvers", "rrr[nonneg=true]", "--output", "my runs/first"]
    found = told(finished(tmp_path / "run", solved("er", [0.1]), argv=argv, commit="abc-dirty"))
    assert found["command"].splitlines() == [
        "git checkout abc",
        "make install",
        ".venv/bin/python -m bench run --solvers 'rrr[nonneg=true]' --output 'my runs/first'",
    ]
    assert dict(found["facts"])["code"] == "abc and changes since that were not committed"


def test_a_merged_run_is_repeated_by_the_commands_of_its_runs_and_then_its_own(tmp_path):
    sources = [
        {"folder": "a", "argv": ["run", "--output", "a"], "commit": "one"},
        {"folder": "b", "argv": ["run", "--output", "b"], "commit": "one"},
        {"folder": "c", "commit": "one"},
        {"folder": "d", "argv": ["run", "--output", "d"], "commit": "two-dirty"},
    ]
    argv = ["merge", "a", "b", "c", "d", "--output", "all"]
    found = told(finished(tmp_path / "run", solved("er", [0.1]), argv=argv, commit=None, merged=sources))
    assert found["command"].splitlines() == [
        "git checkout one",
        "make install",
        ".venv/bin/python -m bench run --output a",
        ".venv/bin/python -m bench run --output b",
        "# the command that made c is not known",
        "git checkout two",
        "make install",
        ".venv/bin/python -m bench run --output d",
        ".venv/bin/python -m bench merge a b c d --output all",
    ]


def test_runs_that_were_merged_twice_are_unfolded(tmp_path):
    inner = {"folder": "b", "argv": ["merge", "x"], "merged": [{"folder": "x", "argv": ["run"]}]}
    found = told(finished(tmp_path / "run", solved("er", [0.1]), argv=["merge", "b"], merged=[inner]))
    assert [line.split()[-1] for line in found["command"].splitlines()] == ["install", "run", "x", "b"]


def test_the_hashes_are_those_of_the_files_in_the_folder(tmp_path):
    folder = finished(tmp_path / "run", solved("er", [0.1]), ms={"er": 1.0}, data={"name": "sample", "sha256": "1234"})
    hashes = dict(told(folder)["hashes"])
    assert hashes["data"] == "1234"
    for name in ("per_image.parquet", "timing.csv", "manifest.json"):
        assert hashes[name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_a_manifest_of_another_form_is_shown_as_it_is(tmp_path):
    odd = {"argv": "run", "sweep": [1], "machine": "a big one", "data": None, "packages": 3, "python": 3}
    found = told(finished(tmp_path / "run", solved("er", [0.1]), **odd))
    assert found["command"] == found["sweep"] == ""
    assert '"machine": "a big one"' in found["manifest"]
