"""Tables as files: what is measured has six digits, what tells problems apart has all."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.store.tables import csv_text

PHOTONS = st.floats(min_value=1e-12, max_value=1e18) | st.just(math.inf)


@given(st.lists(PHOTONS, min_size=1))
def test_photons_are_read_as_they_were_and_measured_numbers_with_six_digits(photons):
    table = pd.DataFrame({"photons": photons, "mse": 1 / 3})
    read = pd.read_csv(io.StringIO(csv_text(table)))
    assert read["photons"].tolist() == photons
    assert set(read["mse"]) == {0.333333}


def test_the_table_that_is_written_stays_as_it_was():
    table = pd.DataFrame({"photons": [1e5], "mse": [0.5]})
    assert csv_text(table) == "photons,mse\n1e5,0.5\n"
    assert table["photons"].tolist() == [1e5]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the threads of a process are not listed here")
def test_no_thread_of_arrow_is_left_that_could_hold_what_was_read_when_the_interpreter_ends():
    """Such a thread aborts the process, once in a hundred times: a test of that would hardly ever fail."""
    program = (
        "import io, os, pandas as pd\n"
        "from bench.store.tables import read_parquet\n"
        "stream = io.BytesIO()\n"
        "pd.DataFrame({'photons': [1e5], 'solver': ['er']}).to_parquet(stream, index=False)\n"
        "before = set(os.listdir('/proc/self/task'))\n"
        "read = read_parquet(stream.getvalue())\n"
        "assert read.to_dict('list') == {'photons': [1e5], 'solver': ['er']}\n"
        "print(len(set(os.listdir('/proc/self/task')) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
