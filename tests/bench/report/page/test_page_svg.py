"""Figures in a page: text that is text, colours of the page, and nothing that a content security policy forbids."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from bench.report.page.svg import inline

HOSTILE = '<script>alert("$x$ & $y$")</script>'


def draw() -> Figure:
    figure = Figure(figsize=(3, 2))
    ax = figure.subplots()
    ax.plot([1, 2], [3, 4], "o-", gid="line")
    ax.grid(visible=True)
    ax.set_title(HOSTILE)
    return figure


def test_a_label_is_text_whatever_it_says():
    drawn = inline("a", HOSTILE, draw, {"line": HOSTILE})
    assert "<script" not in drawn
    root = ElementTree.fromstring(drawn)
    assert root.get("aria-label") == HOSTILE
    assert [element.text for element in root.iter() if element.text == HOSTILE and element.tag.endswith("text")]
    assert [element.text for element in root.iter() if element.tag.endswith("title")] == [HOSTILE]


def test_there_is_no_style_and_every_reference_finds_its_element():
    drawn = inline("a", "a line", draw)
    assert "style" not in drawn
    ids = re.findall(r'\bid="([^"]+)"', drawn)
    assert ids
    assert len(set(ids)) == len(ids)
    assert {one or other for one, other in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', drawn)} == set(ids)


def test_two_figures_of_a_page_have_no_id_in_common():
    first, second = (set(re.findall(r'\bid="([^"]+)"', inline(name, "a line", draw))) for name in ("a", "b"))
    assert first
    assert not first & second


def test_colours_are_left_to_the_page():
    drawn = inline("a", "a line", draw)
    assert "#" not in re.sub(r'href="#[^"]+"|url\(#[^)]+\)', "", drawn), "no colour is fixed"
    assert "stroke-c0" in drawn
    assert "stroke-rule" in drawn
    assert "currentColor" in drawn


def test_the_same_figure_is_the_same_text():
    assert inline("a", "a line", draw) == inline("a", "a line", draw)
