"""Figures of what varies within a run: error over photons, and over iterations and seconds."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.report.figures import noise
from bench.report.page import words
from bench.report.page.content import Content
from bench.report.page.runs import Run
from bench.report.page.svg import inline
from solvers.files import read_regular

PICTURE = "figures/convergence.png"  # as a run draws it
LARGEST = 2**20  # bytes of it
PNG = b"\x89PNG\r\n\x1a\n"


def noise_curves(content: Content) -> dict[str, Any] | None:
    """Error over photons for each run with several counts; None where there is none."""
    said = "Mean error over photons in a pattern, with intervals. The table of all results has the numbers."
    figures = [
        {"run": run.name, "picture": inline(f"noise{k}", said, partial(_noise, run))}
        for k, run in enumerate(content.runs)
        if run.lines["photons"].nunique() > 1
    ]
    return {"heading": "Error over photons", "figures": figures} if figures else None


def _noise(run: Run) -> Figure:
    """The figure of a run, with the numbers at its axis as the page writes them."""
    figure = noise(run.lines)
    for ax in figure.axes:
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.short(value)))
        ax.yaxis.set_minor_formatter(NullFormatter())
    return figure


def convergence(content: Content) -> dict[str, Any] | None:
    """The curves that the runs have drawn; None where there are none."""
    figures = []
    for run in content.runs:
        try:
            content_ = read_regular(run.folder / PICTURE, LARGEST)
        except OSError:
            continue
        if content_.startswith(PNG):
            source = "data:image/png;base64," + base64.b64encode(content_).decode()
            image = Markup('<img src="{}" alt="{}">').format(
                source, "Median error and magnitude residual of the first start, over iterations and over seconds."
            )
            figures.append({"run": run.name, "picture": image})
    return {"heading": "Convergence", "figures": figures} if figures else None
