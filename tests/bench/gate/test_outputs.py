"""The verdicts of a check for a build server and a pull request: whole, valid, and nothing in them taken for markup."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bench.errors import one_line
from bench.gate.outputs import junit, markdown
from bench.gate.tolerances import TIME
from bench.gate.verdicts import Finding, Verdict
from datasets.problem import Problem

PROBLEM = Problem(variant="flip")
NASTY = '</failure><script>alert("]]>")</script> & | \x1b[2J \ud800 `code` ￾ \x00'


def finding(verdict: Verdict, words: str = "0.1 → 0.2", metric: str = "mse", solver: str = "er") -> Finding:
    return Finding(solver, PROBLEM, metric, verdict, words, 3, 3)


@pytest.mark.parametrize(
    ("made", "element"),
    [
        (finding(Verdict.PASS), "system-out"),
        (finding(Verdict.INCONCLUSIVE), "skipped"),
        (finding(Verdict.REGRESSION), "failure"),
        (finding(Verdict.FAILED), "error"),
        (finding(Verdict.MISSING), "error"),
        (finding(Verdict.UNCOMPARED), "error"),
        (finding(Verdict.UNCOMPARED, metric=TIME.name), "skipped"),
    ],
)
def test_a_verdict_is_a_test_case_of_its_kind(made, element):
    (suite,) = ET.fromstring(junit([made], "a and b"))
    case = suite.find("testcase")
    assert (case.get("classname"), case.get("name")) == ("er", f"{made.metric} on flip")
    assert [part.tag for part in case] == [element]
    assert case[0].text == "0.1 → 0.2"
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    expected = {"failure": "failures", "error": "errors", "skipped": "skipped"}.get(element)
    assert counts == {"tests": "1", "failures": "0", "errors": "0", "skipped": "0"} | (
        {expected: "1"} if expected else {}
    )


@given(st.text(max_size=50), st.text(max_size=50))
@settings(max_examples=20)
def test_any_text_gives_xml_that_a_parser_reads_back(solver, words):
    (suite,) = ET.fromstring(junit([finding(Verdict.REGRESSION, words, solver=solver)], words).encode())
    case = suite.find("testcase")
    assert case.get("classname") == one_line(solver)
    assert case.find("failure").get("message") == one_line(words)
    assert (case.find("failure").text or "") == one_line(words)


def test_markup_in_an_error_is_text_everywhere():
    made = [finding(Verdict.FAILED, NASTY, solver=NASTY)]
    (suite,) = ET.fromstring(junit(made, NASTY).encode())
    assert suite.find("testcase/error").text == one_line(NASTY)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown(made, NASTY))
    assert "<script" not in html
    assert html.count("<td") == 5


def test_the_summary_begins_with_what_fails_and_folds_away_what_passed():
    made = [finding(Verdict.PASS), finding(Verdict.INCONCLUSIVE), finding(Verdict.REGRESSION)]
    text = markdown(made, "a and b")
    assert text.startswith("### phasebench check: 1 pass, 1 inconclusive, 1 regression\n")
    places = [text.index(word) for word in ("| **regression** |", "| inconclusive |", "<details>", "| pass |")]
    assert places == sorted(places)
    assert "<details>" not in markdown(made[1:], "a and b")
