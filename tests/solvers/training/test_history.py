"""A history has every step once, whatever a killed process has left of it."""

from __future__ import annotations

import math
import os

import pytest

from solvers.training.history import History, Step, read


def steps(*numbers):
    return [Step(n, 12 * n, 0.5, math.nan, 1e-3, 0.25 * n) for n in numbers]


def write(path, done, *numbers):
    history = History(path, done)
    for row in steps(*numbers):
        history.add(row)
    history.close()


def numbers(path):
    return [row.step for row in read(path)]


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "a.history.csv"
    write(path, 0, 1, 2)
    assert path.read_text() == (
        "step,images,loss,validation,learning_rate,seconds\n1,12,0.5,,0.001,0.25\n2,24,0.5,,0.001,0.5\n"
    )
    first, _ = read(path)
    assert first._replace(validation=0) == steps(1)[0]._replace(validation=0)
    assert math.isnan(first.validation)


def test_millions_of_images_are_counted_exactly(tmp_path):
    path = tmp_path / "a.history.csv"
    write(path, 0, 123_456_789)
    assert read(path)[0].images == 12 * 123_456_789


def test_steps_after_the_checkpoint_are_those_of_a_killed_process(tmp_path):
    path = tmp_path / "a.history.csv"
    write(path, 0, 1, 2, 3, 4, 5)
    write(path, 3, 4, 5, 6)
    assert numbers(path) == [1, 2, 3, 4, 5, 6]


def test_another_training_begins_another_history(tmp_path):
    path = tmp_path / "a.history.csv"
    write(path, 0, 1, 2, 3)
    write(path, 0, 1)
    assert numbers(path) == [1]


@pytest.mark.parametrize("left", ["4,48,0", "4,48,0.5,,0.001,0.25", "nonsense\n", "4,x,0.5,,0.001,1\n", "\0\0\0\n"])
def test_half_a_row_does_not_count(tmp_path, left):
    path = tmp_path / "a.history.csv"
    write(path, 0, 1, 2, 3)
    with path.open("a") as stream:
        stream.write(left)
    assert numbers(path) == [1, 2, 3]
    write(path, 9, 4)
    assert numbers(path) == [1, 2, 3, 4]


def test_a_row_can_be_read_as_soon_as_it_is_added(tmp_path):
    history = History(tmp_path / "a.history.csv", 0)
    history.add(steps(1)[0])
    assert numbers(history.path) == [1]
    history.close()


def test_the_last_validation_comes_after_its_step(tmp_path):
    history = History(tmp_path / "a.history.csv", 0)
    for row in steps(1, 2):
        history.add(row)
    history.amend(2, 0.125)
    history.amend(3, 0.5)  # a step whose row was lost
    history.close()
    assert [row.validation for row in read(history.path)[1:]] == [0.125]
    assert numbers(history.path) == [1, 2]


def test_no_history_is_an_empty_one_and_a_pipe_is_none(tmp_path):
    assert read(tmp_path / "none.csv") == []
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(OSError, match="regular"):
        read(tmp_path / "pipe.csv")
