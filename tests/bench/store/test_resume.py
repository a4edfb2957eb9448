"""A sweep that is killed and resumed ends as one that never was; tests/kill_sweep.py does the same a hundred times."""

from __future__ import annotations

import random
import time

import pytest
from kill_sweep import differing, finish, finished_shards, start


@pytest.mark.slow
def test_a_sweep_that_was_killed_three_times_ends_as_one_that_never_was(tmp_path):
    reference, folder = tmp_path / "reference", tmp_path / "killed"
    finish(reference, "inline")
    rng = random.Random(1)
    before = 0
    for _ in range(3):
        process = start(folder, "inline")
        while finished_shards(folder) <= before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        process.kill()
        process.wait()
        now = finished_shards(folder)
        assert now >= before  # nothing that was finished is lost
        before = now
    finish(folder, "inline")
    assert differing(folder, reference) == []
