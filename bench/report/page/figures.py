"""Figures of a run on its page, drawn from what the run has stored."""

from __future__ import annotations

from functools import partial
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatter, NullFormatter

from bench.errors import NothingStoredError
from bench.report.figures.draw import KINDS, WITHOUT_TRUTH
from bench.report.figures.gallery import left_out
from bench.report.figures.look import PLAIN
from bench.report.figures.source import Source
from bench.report.page import words
from bench.report.page.content import Content
from bench.report.page.runs import Run
from bench.report.page.svg import inline


def gallery(content: Content) -> dict[str, Any] | None:
    """The pictures that the runs have kept; None where they have none."""
    said = "True images, and for each solver the reconstructions, registered to them, with their errors."
    return _section(content, "gallery", "Reconstructions", said)


def noise_curves(content: Content) -> dict[str, Any] | None:
    """Error over photons for each run with several counts; None where there is none."""
    said = "Mean error over photons in a pattern, with intervals. The table of all results has the numbers."
    return _section(content, "photons", "Error over photons", said)


def convergence(content: Content) -> dict[str, Any] | None:
    """The curves that the runs have taken; None where there are none."""
    said = "Median error and magnitude residual of the first start, over iterations and over seconds."
    return _section(content, "convergence", "Convergence", said)


def _section(content: Content, kind: str, heading: str, said: str) -> dict[str, Any] | None:
    figures = []
    for k, run in enumerate(content.runs):
        if kind not in WITHOUT_TRUTH and not Source(run.folder).knows_truth:
            continue
        try:
            drawn = inline(f"{kind}{k}", said, partial(_drawn, kind, run), themed=False)
        except NothingStoredError:
            continue
        missing = left_out(Source(run.folder)) if kind == "gallery" else ""
        figures.append({"run": run.name, "picture": drawn, "without": missing})
    return {"heading": heading, "figures": figures} if figures else None


def _drawn(kind: str, run: Run) -> Figure:
    """The figure, with powers of ten at its axes as the page writes numbers: without mathematics."""
    figure = KINDS[kind](Source(run.folder), PLAIN)
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        if isinstance(axis.get_major_formatter(), LogFormatter):
            axis.set_major_formatter(FuncFormatter(lambda value, _: words.short(value)))
        if isinstance(axis.get_minor_formatter(), LogFormatter):
            axis.set_minor_formatter(NullFormatter())
    return figure
