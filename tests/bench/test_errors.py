"""Whatever a solver, a plug-in or a file says, a terminal and a file can take it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.errors import LINE, clean, one_line

ANYTHING = st.text(st.characters(exclude_categories=()))  # control characters and lone surrogates among them


@given(ANYTHING, st.integers(20, 200))
@example("\x1b[2J" * 100, 50)
@example("\U000e0001" * 50, 50)
def test_cleaned_text_is_short_printable_and_can_be_encoded(text, limit):
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    shown.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=50))
def test_text_without_control_characters_stays_as_it_is(text):
    assert clean(text, 50) == text


def test_what_a_terminal_would_obey_is_shown_as_an_escape():
    assert clean("\x1b[31mred\x07\r\n\x9b2J \ud800 \u202e", 100) == "\\x1b[31mred\\x07\\r\n\\x9b2J \\ud800 \\u202e"


def test_of_a_long_text_the_beginning_and_the_end_are_left():
    shown = clean("begin " + "m" * 30_000_000 + " end", 60)
    assert shown.startswith("begin mmm")
    assert " […] " in shown
    assert shown.endswith("mmm end")


@pytest.mark.parametrize("message", ["a\nb\n\n c", "\x1b]0;title\x07\nb", "z" * 10_000_000, "\udcff\n"])
def test_an_exception_is_one_line_of_bounded_length(message):
    for line in (one_line(ValueError(message)), one_line(message)):
        assert line.isprintable()
        assert len(line) <= LINE
    assert one_line(ValueError(message)).startswith("ValueError: ")
