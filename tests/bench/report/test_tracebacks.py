"""Where a traceback ends."""

from __future__ import annotations

import pytest

from bench.report.tracebacks import place_of

TRACE = """Traceback (most recent call last):
  File "/far/away/bench/sweep/shard.py", line 1, in run
  File "{}", line 22, in solve
  File "{}", line 333, in inner
ValueError: no
"""


@pytest.mark.parametrize(
    ("frames", "place"),
    [
        (("/far/away/solvers/base.py", "/far/away/solvers/maps.py"), "/far/away/solvers/maps.py:333"),
        (("/home/me/mine.py", "/far/away/solvers/maps.py"), "/home/me/mine.py:22"),
        (("/home/me/solvers/mine.py", "/opt/site-packages/pydantic/main.py"), "/home/me/solvers/mine.py:22"),
        (("/opt/site-packages/theirs.py", "/usr/lib/python3.12/ast.py"), "/usr/lib/python3.12/ast.py:333"),
        (("/far/away/solvers/base.py", "/opt/site-packages/numpy/fft.py"), "/opt/site-packages/numpy/fft.py:333"),
    ],
)
def test_the_place_of_a_failure_is_the_innermost_in_code_of_ones_own(frames, place):
    assert place_of(TRACE.format(*frames)) == f" ({place})"
    assert place_of('Traceback (most recent call last):\n  File "/x.py", line 9\nKeyError\n\n' + TRACE.format(*frames))


def test_what_failed_without_a_traceback_has_no_place():
    assert place_of("no result after 1 s") == ""
