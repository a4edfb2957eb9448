"""How the solvers of a run converged."""

from __future__ import annotations

from matplotlib.figure import Figure

from bench.report.figures.look import LEGEND, Look, folded, label_powers, line_styles
from bench.report.figures.source import Source
from bench.report.settings import problem_of

MARKED = 8  # points of a curve that are marked, about


def convergence(source: Source, look: Look) -> Figure:
    """Median error, where there is one, and residual of the first start, against iterations and against seconds."""
    curves = source.curves
    shown = {"mse": "adjusted error", "residual": "magnitude residual"}
    if curves["mse"].isna().all():
        del shown["mse"]
    figure = look.figure()
    axes = figure.subplots(len(shown), 2, sharey="row", squeeze=False)
    labels = list(curves["solver"].unique())
    for label, style in zip(labels, line_styles(labels), strict=True):
        curve = curves[curves["solver"] == label]
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
    images = curves["images"].iloc[0]
    axes[-1, 1].set_xlabel(f"seconds for {images} images, one thread")
    about = f"median of {images} images, {problem_of(curves.iloc[0]).briefly()}"
    names = [folded(look.name(label), LEGEND) for label in labels]
    look.add_legend(figure, axes[0, 0].get_lines(), names, title=about)
    return figure
