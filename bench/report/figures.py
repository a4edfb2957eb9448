"""Pictures of a run: truth beside reconstructions, and error against iterations and seconds.

The images are solved again for the pictures, by the executor of the sweep.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from math import prod
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from bench.executors.base import Executor
from bench.executors.glimpses import Curve, converge, pictures
from bench.report.settings import briefly, problem_of, varying
from bench.request import Sweep
from bench.score.references import USES
from bench.sweep.shard import Shard, observe
from datasets import ImageSet
from datasets.problem import Problem
from solvers.files import replace_atomically

GALLERY = 6  # images in a gallery
COLUMNS = 16  # in one gallery; more than that are one gallery for each variant
CURVES = 16  # images under a convergence curve
TITLE = 13  # characters of a title in an inch
LEGEND = 100  # characters of a line in the legend
SIZE = (9, 6)  # inches of the convergence curves, without their legend
MARKED = 8  # points of a curve that are marked, about
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")  # as many as have no divisor in common with the lines


@dataclass(frozen=True)
class Axis:
    """A numeric setting of problems, over which errors are drawn into a file with this name."""

    file: str
    title: str
    number: Callable[[Problem], float]
    logarithmic: bool = False
    infinity: str = ""  # what stands at the right end


NUMERIC = {
    "photons": Axis(
        "noise", "photons in a pattern", lambda problem: problem.photons, logarithmic=True, infinity="no noise"
    ),
    "mask": Axis("beamstop", "side of the square that is not measured", lambda problem: problem.beamstop),
    "frame": Axis("frame", "side of the frame, or of a square of its area", lambda problem: prod(problem.frame) ** 0.5),
    "grid": Axis("grid", "side of the pattern, or of a square of its area", lambda problem: prod(problem.grid) ** 0.5),
}

mpl.rcParams["svg.hashsalt"] = "phasebench"  # the same picture is the same file


def draw_figures(
    sweep: Sweep,
    problems: Sequence[Problem],
    labels: list[str],
    images: ImageSet,
    executor: Executor,
    summary: pd.DataFrame,
    folder: Path,
) -> list[str]:
    """Galleries of all problems, the convergence curves on the last one, and the error over what varies in numbers.

    Returns:
        The solvers that have no curve: they do not iterate.

    Raises:
        CallError: a solver failed.
    """
    if not labels:
        return []
    folder.mkdir(exist_ok=True)

    def first(count: int, problem: Problem) -> Shard:
        return Shard(problem, "", sweep.seeds[0], 0, min(count, sweep.images))

    pictured = [first(GALLERY, problem) for problem in problems]
    words = briefly(problems)
    if len(pictured) * (1 + len(labels)) <= COLUMNS:
        _save(gallery(pictured, labels, images, executor), folder / "gallery.png")
    else:
        for one in pictured:
            name = re.sub(r"[^\w.-]+", "_", words[one.problem])
            _save(gallery([one], labels, images, executor), folder / f"gallery_{name}.png")
    for name, axis in NUMERIC.items():
        if len({axis.number(problem) for problem in problems}) > 1:
            drawn = summary[summary["solver"].isin(labels) | (summary["information"] == USES)]
            _save(error_over(drawn, name), folder / f"{axis.file}.png")
    shard = first(CURVES, problems[-1])
    curves = {label: executor.call(converge, replace(shard, solver=label)) for label in labels}
    found = {label: curve for label, curve in curves.items() if curve is not None}
    if found:
        _save(convergence(found, shard), folder / "convergence.png")
    else:
        (folder / "convergence.png").unlink(missing_ok=True)  # of other solvers that were run here before
    return [label for label in labels if label not in found]


def gallery(shards: list[Shard], labels: list[str], images: ImageSet, executor: Executor) -> Figure:
    """The shards side by side, of the same images on different variants: the truth, then one column per solver.

    Every reconstruction is registered to the truth, and has its adjusted error below it. Of complex images the
    magnitude is shown.
    """
    columns = len(shards) * (1 + len(labels))
    width = max(1.5, 16 / max(columns, 11))
    titles = [folded(label, int(TITLE * width)) for label in labels]
    lines = max((title.count("\n") for title in titles), default=0)
    figure = Figure(figsize=(width * columns, 1.5 * shards[0].count + 0.5 + 0.12 * lines), layout="constrained")
    for shard, part in zip(shards, figure.subfigures(1, len(shards), wspace=0.03, squeeze=False)[0], strict=True):
        truth, _ = observe(images, shard)
        axes = part.subplots(len(truth), 1 + len(labels), squeeze=False)
        _draw_column(axes[:, 0], "truth", truth)
        for column, label, title in zip(axes.T[1:], labels, titles, strict=True):
            _draw_column(column, title, *executor.call(pictures, replace(shard, solver=label)))
        part.suptitle(briefly(one.problem for one in shards)[shard.problem], fontsize=8)
    return figure


def _draw_column(axes: NDArray, title: str, shown: NDArray, errors: NDArray | None = None) -> None:
    axes[0].set_title(title, fontsize=7)
    for i, (ax, image) in enumerate(zip(axes, shown, strict=True)):
        shown_as = np.abs(image) if np.iscomplexobj(image) else image
        ax.imshow(shown_as, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        if errors is not None:
            ax.set_xlabel(f"{errors[i]:.2g}", fontsize=7, labelpad=1)


def error_over(summary: pd.DataFrame, name: str) -> Figure:
    """Mean error over a numeric setting, with its interval, for each solver on each problem; references are thin."""
    axis = NUMERIC[name]
    figure = Figure(figsize=SIZE, layout="constrained")
    ax = figure.subplots()
    summary = summary.assign(at=[axis.number(problem_of(line)) for line in summary.to_dict("records")])
    numbers = sorted(summary["at"].unique())
    finite = [number for number in numbers if np.isfinite(number)]
    beyond = 10 * (finite[-1] if finite else 1.0)  # where infinity is drawn
    groups = [other for other in varying(summary) if other != name]
    lines = [part.sort_values("at") for _, part in summary.groupby(["solver", *groups], sort=False)]
    problems = [problem_of({**part.iloc[0], name: summary[name].iloc[0]}) for part in lines]  # but for this setting
    words = briefly(problems)
    styles = iter(line_styles([part["solver"].iloc[0] for part in lines if part["information"].iloc[0] != USES]))
    thin = cycle(LINES)
    for part, problem in zip(lines, problems, strict=True):
        x = part["at"].where(np.isfinite(part["at"]), beyond)
        named = f"{part['solver'].iloc[0]}" + f", {words[problem]}" * (len(words) > 1)
        if part["information"].iloc[0] == USES:
            ax.plot(x, part["mse"], label=folded(named, LEGEND), color="0.3", linewidth=0.7, linestyle=next(thin))
            continue
        style = next(styles)
        ax.plot(x, part["mse"], label=folded(named, LEGEND), markersize=4, **style)
        ax.fill_between(x, part["mse_low"], part["mse_high"], color=style["color"], alpha=0.15, linewidth=0)
    if axis.logarithmic:
        ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks([min(n, beyond) for n in numbers], [f"{n:.3g}" if np.isfinite(n) else axis.infinity for n in numbers])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(visible=True, alpha=0.3)
    ax.set_xlabel(axis.title)
    ax.set_ylabel("mean adjusted error")
    _add_legend(figure, len(ax.get_lines()))
    return figure


def convergence(curves: dict[str, Curve], shard: Shard) -> Figure:
    """Median error and residual of the first start, against iterations and against seconds."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots(2, 2, sharey="row")
    for (label, curve), style in zip(curves.items(), line_styles(list(curves)), strict=True):
        drawn = {**style, "markersize": 4, "markevery": max(1, len(curve.iterations) // MARKED)}
        axes[0, 0].plot(curve.iterations, curve.mse, label=folded(label, LEGEND), **drawn)
        axes[0, 1].plot(curve.seconds, curve.mse, **drawn)
        axes[1, 0].plot(curve.iterations, curve.residual, **drawn)
        axes[1, 1].plot(curve.seconds, curve.residual, **drawn)
    for ax in axes.flat:
        ax.set_yscale("log")
        ax.grid(visible=True, alpha=0.3)
    for ax in axes[:, 1]:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())  # its labels would run into each other
    axes[0, 0].set_ylabel("adjusted error")
    axes[1, 0].set_ylabel("magnitude residual")
    axes[1, 0].set_xlabel("iterations")
    axes[1, 1].set_xlabel(f"seconds for {shard.count} images, one thread")
    _add_legend(figure, len(curves))
    return figure


def _add_legend(figure: Figure, entries: int) -> None:
    """A legend above the axes, in as many columns as there is room for; the figure grows by its height."""
    for columns in range(min(entries, 4), 0, -1):
        legend = figure.legend(loc="outside upper center", ncols=columns, fontsize=8)
        box = legend.get_window_extent()
        if box.width <= 0.98 * figure.bbox.width or columns == 1:
            break
        legend.remove()
    width, height = SIZE
    figure.set_size_inches(width, height + box.height / figure.dpi)


def line_styles(labels: list[str]) -> list[dict[str, Any]]:
    """A colour for each solver, or for each setting where there is one solver alone; then a line and a marker.

    A colour is used again with another line and another marker: 36 times before two lines look alike. A curve of a
    single point is its marker, of which there are nine.
    """
    families = [label.partition("[")[0] for label in labels]
    if len(set(families)) == 1:
        families = labels
    order = list(dict.fromkeys(families))
    uses: Counter[int] = Counter()
    styles = []
    for family in families:
        colour = order.index(family) % 10
        use = uses[colour]
        uses[colour] += 1
        line, marker = LINES[use % len(LINES)], MARKERS[use % len(MARKERS)]
        styles.append({"color": f"C{colour}", "linestyle": line, "marker": marker})
    return styles


def folded(label: str, width: int) -> str:
    """A label in lines of at most so many characters, which end between its parameters wherever they can."""
    lines = [""]
    for part in re.findall(r"[^,\[]*[,\[]|[^,\[]+", label):
        pieces = [part[i : i + width] for i in range(0, len(part), width)]
        for piece in pieces:
            if len(lines[-1]) + len(piece) > width:
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines)


def _save(figure: Figure, path: Path) -> None:
    replace_atomically(path, lambda stream: figure.savefig(stream, format="png", dpi=150))
