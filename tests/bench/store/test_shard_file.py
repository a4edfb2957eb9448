"""A shard file is either what was written or found to be damaged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import TRACEBACK
from bench.store.shard_file import DamagedError, decode, encode, read_header
from bench.sweep.pictures import no_pictures, true_pictures
from bench.sweep.rows import FAILED
from bench.sweep.shard import Observation, Outcome, Shard, Timing
from datasets import load_images
from datasets.problem import Problem

SHARD = Shard(Problem(dataset="sample", variant="shift_flip", photons=1e5), "rrr[beta=0.5]", 3, 4, 2, kept=(5,))
ROWS = pd.DataFrame({"image": np.arange(4, 6), "reason": "", "mse": [0.1, 1 / 3], "flipped": [True, False]})
PICTURES = true_pictures(SHARD.problem, 3, np.array([5]), np.random.default_rng(1).random((1, 42, 42)))
TIMING = Timing(0.1, 1 / 3, 2.0, 3.0, threads=2, workers=3, memory=4)
WRITTEN = Outcome(SHARD, ROWS, TIMING, pictures=PICTURES)


def test_what_is_read_is_what_was_written():
    read = decode(encode(WRITTEN))
    assert read.shard == SHARD
    assert vars(read.timing) == vars(WRITTEN.timing)
    assert read.error == ""
    assert read.shard.kept == (5,)
    pd.testing.assert_frame_equal(read.rows, ROWS)
    pd.testing.assert_frame_equal(read.pictures, PICTURES)


def test_a_shard_without_pictures_has_none_when_it_is_read():
    assert decode(encode(replace(WRITTEN, pictures=no_pictures()))).pictures.empty


def test_a_failure_is_remembered_with_its_reason():
    failed = Observation.of(load_images("sample"), SHARD).unsolved(FAILED, "the worker process died twice", 1.5)
    header = read_header(encode(failed))
    assert header.reason == "the worker process died twice"
    assert header.timing.solve == 1.5
    assert list(failed.rows["image"]) == [4, 5]


@given(st.data())
def test_any_changed_or_missing_byte_is_found(data):
    content = bytearray(encode(WRITTEN))
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        del content[at:]
    with pytest.raises(DamagedError):
        read_header(bytes(content))


def forged(**changes: object) -> bytes:
    """The file with other values in its description, "timing.solve" for one inside, and the checksum that fits."""
    _, line, rows = encode(WRITTEN).split(b"\n", 2)
    fields = json.loads(line)
    for name, value in changes.items():
        place, _, inner = name.rpartition("__")
        (fields[place] if place else fields)[inner] = value
    return signed(json.dumps(fields).encode() + b"\n" + rows)


def signed(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


@pytest.mark.parametrize(
    "changes",
    [
        {"shard__count": -2},
        {"shard__count": 10**30},
        {"shard__count": "2"},
        {"shard__count": 3},
        {"shard__first": -1},
        {"shard__first": True},
        {"shard__solver": ["er"]},
        {"shard__seed": 1.5},
        {"shard__problem": {"variant": "mirror"}},
        {"shard__problem": None},
        {"timing__solve": "fast"},
        {"timing__solve": float("inf")},
        {"timing__memory": -1},
        {"timing__fee": 1},
        {"shard__first": 9},
        {"shard__kept": [6]},
        {"shard__kept": [4]},
        {"shard__kept": []},
        {"shard__kept": None},
        {"length": -1},
        {"length": 7},
        {"length": 10**9},
        {"length": "1"},
        {"reason": None},
        {"error": {"deep": []}},
        {"more": 1},
        {"shard": 7},
        {"timing": None},
        {"error": "x" * 5_000_000},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_an_odd_description_with_a_fitting_checksum_is_damaged(changes):
    with pytest.raises(DamagedError):
        decode(forged(**changes))


@pytest.mark.parametrize(
    "line", [b"", b"null", b"[]", b"[" * 100_000, b'{"shard": ' * 10_000, b"\xff", b"1" * 5000, b"NaN"]
)
def test_a_description_that_is_none_is_damaged(line):
    with pytest.raises(DamagedError):
        read_header(signed(line + b"\nrows"))


def test_rows_that_cannot_be_read_are_damaged():
    _, line, _ = encode(WRITTEN).split(b"\n", 2)
    with pytest.raises(DamagedError, match="rows"):
        decode(signed(line + b"\nPAR1 and so on PAR1"))


def test_a_file_that_holds_another_shard_is_damaged():
    other = replace(SHARD, first=6)
    for read in (read_header, decode):
        read(encode(WRITTEN), SHARD)
        with pytest.raises(DamagedError, match=r"it holds rrr.* images 4 to 5"):
            read(encode(WRITTEN), other)


def test_a_traceback_of_any_text_and_length_can_be_kept():
    failed = Observation.of(load_images("sample"), SHARD).unsolved(FAILED, "no", 1.0)
    kept = decode(encode(replace(failed, error="Traceback\n" + "\ud800\x1b" * 10**6 + "\nthe end"))).error
    assert kept.startswith("Traceback\n\\ud800\\x1b")
    assert kept.endswith("\nthe end")
    assert len(kept) <= TRACEBACK
