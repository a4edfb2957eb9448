"""How the solvers of a run converged."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from bench.report.figures.look import LEGEND, Look, folded, label_powers, line_styles
from bench.report.figures.source import Source
from bench.report.settings import briefly, in_common, problem_of
from datasets.problem import COLUMNS

MARKED = 8  # points of a curve that are marked, about


def convergence(source: Source, look: Look) -> Figure:
    """Median error, where there is one, and residual of the first start, against iterations and against seconds.

    A line for each solver, problem, seed and number of images. What all lines have in common is said in the title, and
    what tells them apart in their names.
    """
    curves = [curve for _, curve in source.curves.groupby(["solver", *COLUMNS, "seed", "images"], sort=False)]
    shown = {"mse": "adjusted error", "residual": "magnitude residual"}
    if source.curves["mse"].isna().all():
        del shown["mse"]
    figure = look.figure()
    axes = figure.subplots(len(shown), 2, sharey="row", squeeze=False)
    styles = line_styles([curve["solver"].iloc[0] for curve in curves])
    for curve, style in zip(curves, styles, strict=True):
        drawn = {**style, "markersize": 4, "markevery": max(1, len(curve) // MARKED)}
        for row, of in zip(axes, shown, strict=True):
            for ax, over in zip(row, ("iterations", "seconds"), strict=True):
                ax.plot(curve[over], curve[of], **drawn)
    for ax in axes.flat:
        ax.set_yscale("log")
        ax.grid(visible=True, alpha=0.3)
    for ax in axes[:, 1]:
        ax.set_xscale("log")
        label_powers(ax)
    for ax, name in zip(axes[:, 0], shown.values(), strict=True):
        ax.set_ylabel(name)
    axes[-1, 0].set_xlabel("iterations")
    names, title, images = _words([curve.iloc[0] for curve in curves], look)
    axes[-1, 1].set_xlabel(f"seconds for {images}, one thread")
    look.add_legend(figure, axes[0, 0].get_lines(), [folded(name, LEGEND) for name in names], title=title)
    return figure


def _words(lines: list[pd.Series], look: Look) -> tuple[list[str], str, str]:
    """What curves are called that begin with these lines; what they have in common; and how many images they are of."""
    problems = briefly(map(problem_of, lines))
    seeds = {line["seed"] for line in lines}
    counts = {line["images"] for line in lines}
    names = [
        look.name(line["solver"])
        + f", {problems[problem_of(line)]}" * (len(problems) > 1)
        + f", seed {line['seed']}" * (len(seeds) > 1)
        + f", {line['images']} images" * (len(counts) > 1)
        for line in lines
    ]
    images = f"{min(counts)} images" if len(counts) == 1 else "all images of a curve"
    common = in_common(problems)
    return names, f"median of {images}" + f", {common}" * bool(common), images
