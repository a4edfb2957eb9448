"""The page of finished runs: one HTML file that asks for nothing else, and in which nothing else can run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.errors import one_line
from bench.report.page import words
from bench.report.page.answer import answer
from bench.report.page.content import Content
from bench.report.page.endings import endings
from bench.report.page.figures import convergence, gallery, noise_curves
from bench.report.page.pairs import matrices
from bench.report.page.provenance import provenance
from bench.report.page.results import results
from bench.report.page.runs import Run
from bench.score.metrics import SUCCESS
from bench.score.statistics import CONFIDENCE

HERE = Path(__file__).parent

# By the name of its template, what a section shows: the values for that, or None where the runs have nothing for it.
# They stand on the page in this order.
SECTIONS: dict[str, Callable[[Content], dict[str, Any] | None]] = {
    "answer": answer,
    "results": results,
    "gallery": gallery,
    "noise": noise_curves,
    "convergence": convergence,
    "pairs": matrices,
    "endings": endings,
    "provenance": provenance,
}


def build(runs: Sequence[Run], title: str | None = None) -> str:
    """The whole page; the same runs give the same text."""
    content = Content(runs)
    sections = {name: found for name, section in SECTIONS.items() if (found := section(content)) is not None}
    style, script = (Markup((HERE / name).read_text(encoding="utf-8")) for name in ("page.css", "page.js"))
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["folded"] = folded
    return environment.get_template("page.html").render(
        title=one_line(title or ", ".join(run.name for run in runs)),
        measured=words.measured(
            {problem: [int(line["images"]) for line in content.of(problem)] for problem in content.problems},
            content.table["solver"].nunique(),
            content.unknown,
        ),
        runs=runs,
        sections=sections,
        style=style,
        script=script,
        policy=policy(style, script),
        success=SUCCESS,
        confidence=f"{CONFIDENCE:.0%}",
    )


def folded(label: str) -> Markup:
    """A label that may be broken between its parameters."""
    return Markup("<wbr>").join(re.findall(r"[^,\[]*[,\[]|[^,\[]+", label))


def policy(style: str, script: str) -> str:
    """A content security policy that allows this style sheet, this script, and pictures that are in the page."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
