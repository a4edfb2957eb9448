"""Only regular files of a size that was expected are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datasets.files import read_regular


def test_a_file_of_the_largest_size_is_read_and_a_larger_one_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular(tmp_path / "file", 4)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_folders_pipes_and_devices_are_refused_at_once(tmp_path, make):
    make(tmp_path / "file")
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(tmp_path / "file", 10)


def test_a_link_to_a_file_is_as_good_as_the_file(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 10) == b"12345"
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "nothing", 10)
