"""The text files of Elser, Lan and Bendory: half a plane of whole numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets import DatasetError, forward
from datasets.half_plane_file import is_half_plane, pixels_of, read_half_plane


def write(path, half):
    path.write_text("\n".join("\t".join(map(str, row)) for row in half) + "\n")
    return path


def test_half_a_plane_is_a_whole_one(rng, tmp_path):
    y = np.rint(forward(20 * rng.random((1, 5, 6)), (12, 12))[0]).astype(int)
    y[:, 6] = 0
    y[6, :] = 0
    half = y[:, :6].copy()
    half[0, 0] = 0
    found = read_half_plane(write(tmp_path / "data7E", half))
    assert np.isnan(found[0, 0])
    there = ~np.isnan(found)
    assert there.sum() == 143
    np.testing.assert_array_equal(found[there], y[there])


def test_the_name_of_a_file_says_how_many_pixels_the_support_has():
    assert pixels_of(Path("some/where/data140M")) == 1120
    assert pixels_of(Path("data100E")) == 800
    assert pixels_of(Path("pattern.txt")) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [("1 2\n3 4\n5 6\n", "got 3 rows"), ("1 2 3\n4 5 6\n", "no half plane"), ("1 2\n3\n4 5\n6 7\n", "no half plane")],
)
def test_other_numbers_are_no_half_plane(tmp_path, content, message):
    path = tmp_path / "data1E"
    path.write_text(content)
    assert is_half_plane(path)
    with pytest.raises(DatasetError, match=message):
        read_half_plane(path)


def test_a_text_with_other_things_in_it_is_none(tmp_path):
    path = tmp_path / "notes"
    path.write_text("1 2 three\n")
    assert not is_half_plane(path)
    assert not is_half_plane(tmp_path / "missing")
    path.write_text("")
    assert not is_half_plane(path)
    with pytest.raises(DatasetError, match="got 0 rows"):
        read_half_plane(path)
