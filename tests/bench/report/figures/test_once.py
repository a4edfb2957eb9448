"""A figure that is drawn once looks as one of matplotlib's own."""

from __future__ import annotations

import io

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.figures.once import DrawnOnce

SIZE = (4.0, 3.0)


class Counted(Line2D):
    """A line that counts how often it is drawn."""

    drawn = 0

    def draw(self, renderer):
        self.drawn += 1
        super().draw(renderer)


def saved(figure, format):
    """Two pairs of axes with a legend above; its file, and how often what is in it was drawn."""
    axes = figure.subplots(1, 2, sharey=True)
    axes[0].set_ylabel("error")
    for ax in axes:
        ax.plot([1, 1000], [1e-4, 1])
        ax.set_yscale("log")
        ax.set_xlabel("iterations")
    line = Counted([1, 500], [1e-2, 1e-1])
    axes[1].add_line(line)
    figure.legend(axes[0].get_lines(), ["one"], loc="outside upper center", title="a title")
    stream = io.BytesIO()
    stamps = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    figure.savefig(stream, format=format, metadata=stamps[format])
    return stream.getvalue(), line.drawn


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
@pytest.mark.parametrize("style", [{}, {"xtick.top": True, "ytick.right": True}])
def test_a_figure_that_is_drawn_once_has_the_bytes_of_any_other(format, style):
    with mpl.rc_context({"svg.hashsalt": "test", "savefig.dpi": 120, **style}):
        content, drawn = saved(DrawnOnce(SIZE), format)
        expected, _ = saved(Figure(figsize=SIZE, layout="constrained"), format)
    assert content == expected
    assert drawn == 1


def test_a_figure_that_is_laid_out_stays_so():
    figure = DrawnOnce(SIZE)
    ax = figure.subplots()
    before = ax.get_position().bounds
    figure.lay_out()
    after = ax.get_position().bounds
    assert after != before
    ax.set_xlabel("a label\nof several\nlines")
    figure.savefig(io.BytesIO())
    assert ax.get_position().bounds == after
