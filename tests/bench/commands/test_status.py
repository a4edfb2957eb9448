"""What `bench status` says of a folder, without running anything."""

from __future__ import annotations

from pathlib import Path

import doubles
import pytest
from doubles import Blank, Broken, register_solvers

from bench.commands.run import run_sweep
from bench.commands.status import State, inventory
from bench.request import request


def sweep(*labels: str):
    return request(solvers=labels, variants=("none",), images=5, dataset="sample", shard=2, threads=1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run of a solver that works and of one that does not, on five images in three shards."""
    register_solvers(monkeypatch, Blank, Broken)
    run_sweep(sweep("blank", "broken"), tmp_path, figures=False)
    return tmp_path


def test_finished_and_failed_shards_are_told_apart(folder):
    assert inventory(folder).counts == {("blank", "none"): {State.DONE: 3}, ("broken", "none"): {State.FAILED: 3}}


def test_missing_corrupt_and_stale_shards_are_found(bench, folder):
    shards = {path: path.read_bytes() for path in sorted((folder / "shards").iterdir())}
    good = [path for path, content in shards.items() if b'"error":""' in content]
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


def test_shards_that_were_renamed_into_each_other_are_corrupt_and_made_again(folder):
    good = [path for path in sorted((folder / "shards").iterdir()) if b'"error":""' in path.read_bytes()]
    first, second = (path.read_bytes() for path in good[:2])
    good[0].write_bytes(second)
    good[1].write_bytes(first)
    expected = (folder / "per_image.parquet").read_bytes()
    assert inventory(folder).counts["blank", "none"] == {State.DONE: 1, State.CORRUPT: 2}
    run_sweep(sweep("blank", "broken"), folder, figures=False)
    assert inventory(folder).counts["blank", "none"] == {State.DONE: 3}
    assert (folder / "per_image.parquet").read_bytes() == expected


def test_a_failure_is_shown_with_its_place_and_on_request_with_its_traceback(bench, folder):
    line = next(n for n, text in enumerate(Path(doubles.__file__).read_text().splitlines(), 1) if "/dial" in text)
    place = f"({doubles.__file__}:{line})"
    done = bench("status", "--output", folder)
    assert done.out.count(place) == 3
    assert "Traceback" not in done.out
    full = bench("status", "--output", folder, "--tracebacks")
    assert full.out.count("Traceback (most recent call last)") == 1, "three shards failed alike"
    assert "broken on none, images 0 to 1, seed 0, and 2 more" in full.out
    assert 'raise ZeroDivisionError("the [/dial] was at [bold]eleven")' in full.out


def test_a_run_ends_with_the_command_that_shows_where_a_solver_failed(bench, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Broken)
    output = tmp_path / "my run"
    options = ("--variants", "none", "--images", 1, "--dataset", "sample", "--threads", 1, "--no-figures")
    done = bench("run", "--solvers", "broken", *options, "--output", output)
    assert f"python -m bench status --tracebacks --output '{output}'" in done.err
    whole = bench("run", "--solvers", "er[iterations=1]", *options, "--output", tmp_path / "whole")
    assert "--tracebacks" not in whole.err


class Coloured(Broken):
    """Raises a long error that tries to paint the terminal."""

    name = "coloured"

    def solve(self, measurement, rng):
        raise ValueError("\x1b[2J\ud800" + "long " * 1_000_000)


def test_an_error_cannot_paint_the_terminal_or_swell_the_results(bench, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Coloured)
    options = ("--variants", "none", "--images", 4, "--dataset", "sample", "--threads", 1, "--no-figures")
    done = bench("run", "--solvers", "coloured", *options, "--output", tmp_path / "out")
    told = bench("status", "--output", tmp_path / "out", "--tracebacks")
    assert (done.status, told.status) == (3, 0)
    for shown in (done.err, told.out):
        assert "\x1b" not in shown.replace("\x1b[0m", "")
        assert "\\x1b[2J\\ud800long" in shown
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) < 200_000


def test_a_path_in_a_message_cannot_paint_the_terminal(bench, tmp_path):
    told = bench("status", "--output", tmp_path / "\x1b[2Jgone")
    assert told.status == 2
    assert "\x1b" not in told.err
    assert "\\x1b[2Jgone" in told.err


def test_shards_of_other_code_are_stale_and_run_again(folder, monkeypatch):
    monkeypatch.setattr("bench.executors.code.code_digest", lambda kind: "other code")
    assert inventory(folder).counts["blank", "none"] == {State.MISSING: 3, State.STALE: 3}


@pytest.mark.slow
def test_no_bit_of_a_request_changes_unseen(bench, folder):
    claim = folder / "sweep.json"
    good, told = claim.read_bytes(), bench("status", "--output", folder).out
    for position in range(0, len(good), 7):
        claim.write_bytes(good[:position] + bytes([good[position] ^ (1 << position % 8)]) + good[position + 1 :])
        done = bench("status", "--output", folder)
        assert done.status == 2 or done.out == told, position


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "{", "\0"])
def test_a_request_that_cannot_be_read_is_one_line(bench, folder, content):
    (folder / "sweep.json").write_text(content)
    done = bench("status", "--output", folder)
    assert done.status == 2
    assert "sweep.json' is damaged" in done.err


def test_a_table_of_times_with_a_damaged_head_is_made_again(folder):
    timing = folder / "timing.csv"
    columns = timing.read_text().splitlines()[0]
    timing.write_text("variant,sonver,latency_ms_median\nnone,blank,3\n")
    run_sweep(sweep("blank", "broken"), folder, figures=False)
    assert timing.read_text().splitlines()[0] == columns


def test_a_folder_of_an_older_version_is_refused(bench, folder):
    claim = folder / "sweep.json"
    claim.write_text(claim.read_text().replace('"sha256"', '"digest"'))
    done = bench("status", "--output", folder)
    assert done.status == 2
    assert "another version" in done.err
