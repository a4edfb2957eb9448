"""A run goes on where it was: nothing that is finished is computed again, nothing damaged is believed."""

from __future__ import annotations

import sys

import pandas as pd
import pytest
from doubles import Blank, Interrupted, register_solvers

from solvers.registry import BUILT_IN


def shard_files(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()}


def test_a_finished_run_is_not_computed_again(run, rows, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    Blank.asked.clear()
    assert run(solvers="blank").status == 0
    assert Blank.asked == [(0, 1), (2,)] * 2
    first, files = rows(), shard_files(tmp_path / "out")
    tables = {name: (tmp_path / "out" / name).read_bytes() for name in ("summary.csv", "table1.csv", "table2.csv")}
    assert run(solvers="blank").status == 0
    assert len(Blank.asked) == 4
    assert shard_files(tmp_path / "out") == files
    pd.testing.assert_frame_equal(rows(), first)
    assert all((tmp_path / "out" / name).read_bytes() == content for name, content in tables.items())


def test_a_run_that_was_stopped_goes_on_where_it_was(run, rows, monkeypatch):
    register_solvers(monkeypatch, Interrupted)
    Blank.asked.clear()
    monkeypatch.setattr(Interrupted, "impatient", True)
    done = run(solvers="interrupted", variants="none")
    assert done.status == 130
    assert "Traceback" not in done.err
    assert Blank.asked == [(0, 1)]
    monkeypatch.setattr(Interrupted, "impatient", False)
    assert run(solvers="interrupted", variants="none").status == 0
    assert Blank.asked == [(0, 1), (2,)]
    assert list(rows()["image"]) == [0, 1, 2]


def test_another_solver_or_variant_joins_a_run_without_repeating_it(run, rows, monkeypatch):
    register_solvers(monkeypatch, Blank)
    Blank.asked.clear()
    run(solvers="blank", variants="none")
    run(solvers="blank,er[iterations=1]", variants="none,flip")
    assert Blank.asked == [(0, 1), (2,)] * 2
    assert len(rows()) == 12


@pytest.mark.parametrize("changed", ["solver_of_another.py", "solver_of_another/helper.py"])
def test_a_plug_in_whose_code_has_changed_is_run_again(run, tmp_path, monkeypatch, changed):
    source = "from doubles import Blank\nclass Foreign(Blank):\n    name = 'foreign'\n"
    site = tmp_path / "site"
    main = site / (changed if "/" not in changed else "solver_of_another/__init__.py")
    main.parent.mkdir(parents=True)
    main.write_text(source)
    (site / changed).touch()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "solver_of_another", raising=False)
    monkeypatch.setitem(BUILT_IN, "foreign", "solver_of_another:Foreign")
    Blank.asked.clear()
    for expected in (1, 1, 2):
        if expected == 2:
            with (site / changed).open("a") as stream:
                stream.write("# another version\n")
        assert run(solvers="foreign", variants="none", images=1).status == 0
        assert len(Blank.asked) == expected
    sys.modules.pop("solver_of_another")


def test_a_damaged_shard_is_made_again(run, rows, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    run(solvers="blank", variants="none")
    expected = rows()
    damaged = sorted((tmp_path / "out" / "shards").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:50])
    Blank.asked.clear()
    done = run(solvers="blank", variants="none")
    assert done.status == 0
    said = " ".join(done.err.split())
    assert "shard blank on none, images" in said
    assert damaged.name in said
    assert len(Blank.asked) == 1
    pd.testing.assert_frame_equal(rows(), expected)


def test_what_a_killed_run_has_left_half_written_is_swept_up(run, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    run(solvers="blank", variants="none")
    shard = next(iter((tmp_path / "out" / "shards").iterdir()))
    left = [shard.with_name(f".{shard.name}.abcd_123"), tmp_path / "out" / ".summary.csv.abcd_123"]
    kept = [tmp_path / "out" / ".notes", tmp_path / "out" / "summary.csv.abcd_123"]
    for path in left + kept:
        path.write_text("half")
    assert run(solvers="blank", variants="none").status == 0
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_a_folder_with_nothing_but_half_a_beginning_is_used(run, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".sweep.json.abcd_123").write_text("{")
    (tmp_path / "out" / ".phasebench.lock").write_text("")
    assert run(solvers="blank", variants="none").status == 0
