"""A file is the old one or the new one, never half of one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from solvers.files import read_regular, replace_atomically, write_text, written_for


def test_a_file_is_made_and_replaced(tmp_path):
    path = tmp_path / "table.csv"
    write_text(path, "old")
    write_text(path, "né")
    assert path.read_bytes() == "né".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_half_way_keeps_the_old_file_and_leaves_no_other(tmp_path, error):
    path = tmp_path / "table.csv"
    write_text(path, "old")

    def half(stream):
        stream.write(b"ne")
        raise error

    with pytest.raises(type(error)):
        replace_atomically(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_to_rename_leaves_nothing_behind(tmp_path):
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(OSError, match="table"):
        write_text(tmp_path / "table.csv", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_nobody_sees_the_new_content_before_it_is_on_the_disk(tmp_path, monkeypatch):
    path, synced = tmp_path / "table.csv", []
    write_text(path, "old")
    fsync = os.fsync

    def watch(descriptor):
        synced.append(path.read_text())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    write_text(path, "new")
    assert synced == ["old", "new"]  # the content before the rename, the folder after it


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_others_may_read_what_was_written_if_the_umask_allows_it(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_a_temporary_file_is_told_by_its_name(tmp_path):
    seen = []
    replace_atomically(tmp_path / "a.csv", lambda stream: seen.extend(tmp_path.iterdir()))
    assert [written_for(path.name) for path in seen] == ["a.csv"]
    assert [written_for(name) for name in ("a.csv", ".a.csv", ".a.csv.copy", "a.csv.0123abcd")] == [""] * 4


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"content")
    assert read_regular(tmp_path / "file", 7) == b"content"
    with pytest.raises(OSError, match="larger than 6 bytes"):
        read_regular(tmp_path / "file", 6)
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file") as error:
            read_regular(path, 100)
        assert error.value.filename == str(path)
