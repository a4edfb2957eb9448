"""What `bench status` says of a folder, without running anything."""

from __future__ import annotations

import pytest
from doubles import Blank, Broken, register_solvers

from bench.run import run_sweep
from bench.status import State, inventory
from bench.sweep import request


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run of a solver that works and of one that does not, on five images in three shards."""
    register_solvers(monkeypatch, Blank, Broken)
    sweep = request(solvers=("blank", "broken"), variants=("none",), images=5, dataset="sample", shard=2, threads=1)
    run_sweep(sweep, tmp_path, figures=False)
    return tmp_path


def test_finished_and_failed_shards_are_told_apart(folder):
    assert inventory(folder).counts == {("blank", "none"): {State.DONE: 3}, ("broken", "none"): {State.FAILED: 3}}


def test_missing_corrupt_and_stale_shards_are_found(bench, folder):
    shards = {path: path.read_bytes() for path in sorted((folder / "shards").iterdir())}
    good = [path for path, content in shards.items() if b'"error": ""' in content]
    good[0].unlink()
    good[1].write_bytes(shards[good[1]][:-1])
    good[2].rename(good[2].with_name("0" * 32 + ".shard"))
    (folder / "shards" / "old.parquet").write_bytes(b"something")
    found = inventory(folder)
    assert found.counts["blank", "none"] == {State.MISSING: 2, State.CORRUPT: 1, State.STALE: 1}
    assert found.total(State.STALE) == 2
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = bench("status", "--output", folder)
    assert done.status == 0
    assert done.err == ""
    assert "corrupt: blank on none, images" in done.out
    assert good[1].name in done.out
    assert "failed: broken on none, images 0 to 1, seed 0: ZeroDivisionError: the [/dial]" in done.out
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_shards_of_other_code_are_stale_and_run_again(folder, monkeypatch):
    monkeypatch.setattr("bench.keys.code_digest", lambda kind: "other code")
    assert inventory(folder).counts["blank", "none"] == {State.MISSING: 3, State.STALE: 3}


def test_a_folder_of_an_older_version_is_refused(bench, folder):
    claim = folder / "sweep.json"
    claim.write_text(claim.read_text().replace("data_sha256", "digest"))
    done = bench("status", "--output", folder)
    assert done.status == 2
    assert "another version" in done.err
