"""A shard file is either what was written or found to be damaged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.rows import FAILED
from bench.shard import Observation, Outcome, Shard, Timing
from bench.shard_file import DamagedError, decode, encode, read_header
from datasets import load_images

SHARD = Shard("rrr[beta=0.5]", "shift_flip", 3, 4, 2, "test", 1e5)
ROWS = pd.DataFrame({"image": np.arange(4, 6), "reason": "", "mse": [0.1, 1 / 3], "flipped": [True, False]})
WRITTEN = Outcome(SHARD, ROWS, Timing(0.1, 1 / 3, 2.0, 3.0, threads=2, workers=3, memory=4))


def test_what_is_read_is_what_was_written():
    read = decode(encode(WRITTEN))
    assert read.shard == SHARD
    assert vars(read.timing) == vars(WRITTEN.timing)
    assert read.error == ""
    pd.testing.assert_frame_equal(read.rows, ROWS)


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
