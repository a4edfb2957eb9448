"""Pictures of a run: truth beside reconstructions, and error against iterations and seconds.

The images are solved again for the pictures, by the executor of the sweep.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.executors import Executor
from bench.glimpses import Curve, converge, pictures
from bench.shard import Shard, observe
from bench.sweep import Sweep
from datasets import ImageSet
from solvers.files import replace_atomically

GALLERY = 6  # images in a gallery
COLUMNS = 16  # in one gallery; more than that are one gallery for each variant
CURVES = 16  # images under a convergence curve

mpl.rcParams["svg.hashsalt"] = "phasebench"  # the same picture is the same file


def draw_figures(sweep: Sweep, labels: list[str], images: ImageSet, executor: Executor, folder: Path) -> None:
    """Galleries of all variants, and the convergence curves on the last one.

    Raises:
        CallError: a solver failed.
    """
    if not labels:
        return
    folder.mkdir(exist_ok=True)

    def first(count: int, variant: str) -> Shard:
        return Shard("", variant, sweep.seeds[0], 0, min(count, sweep.images), sweep.split, sweep.photons)

    pictured = [first(GALLERY, variant) for variant in sweep.variants]
    if len(pictured) * (1 + len(labels)) <= COLUMNS:
        _save(gallery(pictured, labels, images, executor), folder / "gallery.png")
    else:
        for one in pictured:
            _save(gallery([one], labels, images, executor), folder / f"gallery_{one.variant}.png")
    shard = first(CURVES, sweep.variants[-1])
    curves = {label: executor.call(converge, replace(shard, solver=label)) for label in labels}
    found = {label: curve for label, curve in curves.items() if curve is not None}
    if found:
        _save(convergence(found, shard), folder / "convergence.png")


def gallery(shards: list[Shard], labels: list[str], images: ImageSet, executor: Executor) -> Figure:
    """The shards side by side, of the same images on different variants: the truth, then one column per solver.

    Every reconstruction is registered to the truth, and has its adjusted error below it.
    """
    columns = len(shards) * (1 + len(labels))
    figure = Figure(
        figsize=(max(1.5, 16 / max(columns, 11)) * columns, 1.5 * shards[0].count + 0.5), layout="constrained"
    )
    for shard, part in zip(shards, figure.subfigures(1, len(shards), wspace=0.03, squeeze=False)[0], strict=True):
        truth, _ = observe(images, shard)
        axes = part.subplots(len(truth), 1 + len(labels), squeeze=False)
        _draw_column(axes[:, 0], "truth", truth)
        for column, label in zip(axes.T[1:], labels, strict=True):
            _draw_column(column, label, *executor.call(pictures, replace(shard, solver=label)))
        part.suptitle(shard.variant, fontsize=8)
    return figure


def _draw_column(axes: NDArray, title: str, shown: NDArray, errors: NDArray | None = None) -> None:
    axes[0].set_title(title.replace("[", "\n["), fontsize=7)
    for i, (ax, image) in enumerate(zip(axes, shown, strict=True)):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        if errors is not None:
            ax.set_xlabel(f"{errors[i]:.2g}", fontsize=7, labelpad=1)


def convergence(curves: dict[str, Curve], shard: Shard) -> Figure:
    """Median error and residual of the first start, against iterations and against seconds."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(2, 2, sharey="row")
    for (label, curve), style in zip(curves.items(), line_styles(list(curves)), strict=True):
        axes[0, 0].plot(curve.iterations, curve.mse, label=label, **style)
        axes[0, 1].plot(curve.seconds, curve.mse, **style)
        axes[1, 0].plot(curve.iterations, curve.residual, **style)
        axes[1, 1].plot(curve.seconds, curve.residual, **style)
    for ax in axes.flat:
        ax.set_yscale("log")
        ax.grid(visible=True, alpha=0.3)
    axes[0, 1].set_xscale("log")
    axes[1, 1].set_xscale("log")
    axes[0, 0].set_ylabel("adjusted error")
    axes[1, 0].set_ylabel("magnitude residual")
    axes[1, 0].set_xlabel("iterations")
    axes[1, 1].set_xlabel(f"seconds for {shard.count} images, one thread")
    figure.legend(loc="outside upper center", ncols=min(len(curves), 4), fontsize=8)
    return figure


def line_styles(labels: list[str]) -> list[dict[str, str]]:
    """A colour for each solver, and a kind of line for each of its settings: thirteen colours nobody tells apart."""
    seen: dict[str, int] = {}
    styles = []
    for label in labels:
        name = label.partition("[")[0]
        setting = seen[name] = seen.get(name, -1) + 1
        styles.append({"color": f"C{list(seen).index(name) % 10}", "linestyle": ("-", "--", ":", "-.")[setting % 4]})
    return styles


def _save(figure: Figure, path: Path) -> None:
    replace_atomically(path, lambda stream: figure.savefig(stream, format="png", dpi=150))
