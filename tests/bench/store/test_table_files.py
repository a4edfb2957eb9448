"""Tables as files: what is measured has six digits, what tells problems apart has all."""

from __future__ import annotations

import io
import math

import pandas as pd
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
