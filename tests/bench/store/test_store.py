"""The folder of a run may be taken away while the run is at work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from doubles import Blank, register_solvers

from bench.report.tables import table1


class Careless(Blank):
    """Does something to the folder of its own run when it comes to image 2."""

    name = "careless"
    summary = "deletes what it should not"
    deed: ClassVar[Callable[[], object]] = staticmethod(lambda: None)

    def solve(self, measurement, rng):
        if 2 in measurement.indices:
            Careless.deed()
        return super().solve(measurement, rng)


def delete(folder: Path) -> None:
    shutil.rmtree(folder)


def empty(folder: Path) -> None:
    """`rm -r folder/*`, which leaves the files whose names begin with a dot."""
    for path in folder.glob("[!.]*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def delete_shards(folder: Path) -> None:
    shutil.rmtree(folder / "shards")


def replace(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def move(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def leave_a_shard(folder: Path) -> None:
    """What `rm -r` leaves when the run writes a shard meanwhile."""
    kept = next((folder / "shards").iterdir())
    content = kept.read_bytes()
    shutil.rmtree(folder)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)


DEEDS = [delete, empty, delete_shards, replace, move, leave_a_shard]


def one_line(done) -> str:
    assert done.status == 2, done
    assert "Traceback" not in done.err
    return done.err.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("deed", DEEDS)
def test_a_folder_that_is_deleted_between_two_shards_is_an_error_and_can_be_used_again(
    run, rows, tmp_path, monkeypatch, deed
):
    register_solvers(monkeypatch, Careless)
    options = {"solvers": "careless", "variants": "none", "images": 6}
    monkeypatch.setattr(Careless, "deed", lambda: deed(tmp_path / "out"))
    line = one_line(run(**options))
    assert line.startswith(f"bench: output '{tmp_path / 'out'}' ")
    assert "deleted or replaced during the run" in line or "cannot be written" in line
    monkeypatch.setattr(Careless, "deed", lambda: None)
    assert run(**options).status == 0
    assert list(rows()["image"]) == list(range(6))


@pytest.mark.slow
@pytest.mark.parametrize("deed", [deed for deed in DEEDS if deed is not delete_shards])
@pytest.mark.parametrize("figures", [False, True])
def test_so_it_is_while_the_tables_are_written(run, rows, tmp_path, monkeypatch, deed, figures):
    def careless(summary):
        deed(tmp_path / "out")
        return table1(summary)

    monkeypatch.setattr("bench.commands.run.table1", careless)
    options = {"solvers": "er[iterations=1]", "variants": "none", "images": 2, "figures": figures}
    assert "deleted or replaced" in one_line(run(**options))
    monkeypatch.setattr("bench.commands.run.table1", table1)
    if deed not in (replace, leave_a_shard):  # which a stranger may have put there
        assert run(**options).status == 0
        assert len(rows()) == 2


@pytest.mark.parametrize("name", ["sweep.json", "shards", "shards/x.shard"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_in_the_folder_of_a_run_is_not_waited_for(run, tmp_path, name, make):
    options = {"solvers": "er[iterations=1]", "variants": "none", "images": 2}
    assert run(**options).status == 0
    path = tmp_path / "out" / name
    if name == "shards/x.shard":
        path = next(path.parent.iterdir())
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    make(path)
    done = run(**options)
    assert done.status in (0, 2), done
    assert "internal error" not in done.err
