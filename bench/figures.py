"""Pictures of a run: truth beside reconstructions, and error against iterations and seconds.

The images are solved again for the pictures. A solver's result for an image does not depend on the batch, so
they show what the tables count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.metrics import adjusted_mse, cut, register
from bench.shard import Shard, observe
from bench.sweep import Sweep
from datasets import ImageSet
from solvers import Backend, IterativeSolver, Snapshot, Streams, create
from solvers.files import replace_atomically

GALLERY = 6  # images in a gallery
CURVES = 16  # images under a convergence curve

mpl.rcParams["svg.hashsalt"] = "phasebench"  # the same picture is the same file


@dataclass(frozen=True)
class Curve:
    """How the median image of one solver converged, at each of its checks."""

    iterations: NDArray[np.int64]
    seconds: NDArray[np.float64]
    mse: NDArray[np.float64]
    residual: NDArray[np.float64]


def draw_figures(sweep: Sweep, labels: list[str], images: ImageSet, backend: Backend, folder: Path) -> None:
    """Galleries of every variant, and the convergence curves on the last one."""
    if not labels:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for variant in sweep.variants:
        shard = Shard("", variant, sweep.seeds[0], 0, min(GALLERY, sweep.images), sweep.split, sweep.photons)
        _save(gallery(shard, labels, images, backend), folder / f"gallery_{variant}.png")
    shard = Shard("", sweep.variants[-1], sweep.seeds[0], 0, min(CURVES, sweep.images), sweep.split, sweep.photons)
    found = {label: curve for label in labels if (curve := converge(label, shard, images, backend)) is not None}
    if found:
        _save(convergence(found, shard), folder / "convergence.png")


def gallery(shard: Shard, labels: list[str], images: ImageSet, backend: Backend) -> Figure:
    """Truth in the first column, one column per solver, each reconstruction registered to the truth."""
    truth, measurement = observe(images, shard)
    columns = {"truth": truth}
    errors: dict[str, NDArray] = {}
    for label in labels:
        solver = create(label)
        solver.prepare(backend, shard.variant)
        found = solver.solve(measurement, Streams(shard.seed)).images
        columns[label] = registered(truth, found)
        errors[label] = adjusted_mse(truth, found)
    figure = Figure(figsize=(1.5 * len(columns), 1.5 * len(truth) + 0.4), layout="constrained")
    axes = figure.subplots(len(truth), len(columns), squeeze=False)
    for j, (label, shown) in enumerate(columns.items()):
        axes[0, j].set_title(label.replace("[", "\n["), fontsize=7)
        for i in range(len(truth)):
            axes[i, j].imshow(shown[i], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes[i, j].set_xticks([])
            axes[i, j].set_yticks([])
            if label in errors:
                axes[i, j].set_xlabel(f"{errors[label][i]:.3g}", fontsize=7, labelpad=1)
    figure.suptitle(f"variant {shard.variant}: adjusted error below each image", fontsize=8)
    return figure


def registered(truth: NDArray, reconstruction: NDArray) -> NDArray:
    """The window of each reconstruction (B, m1, m2) that matches the truth (B, n1, n2), turned and scaled to it."""
    match = register(truth, reconstruction)
    window = cut(reconstruction, match.row, match.column, truth.shape[1:]) * match.factor[:, None, None]
    return np.where(match.flipped[:, None, None], np.conj(window[:, ::-1, ::-1]), window).real


def converge(label: str, shard: Shard, images: ImageSet, backend: Backend) -> Curve | None:
    """Run one solver under observation; None for a solver that does not iterate, or has nothing to iterate on."""
    solver = create(label)
    if not isinstance(solver, IterativeSolver):
        return None
    truth, measurement = observe(images, shard)
    solver.prepare(backend, shard.variant)
    seen: list[tuple[int, float, NDArray, NDArray]] = []
    latest_mse, latest_residual = np.ones(len(truth)), np.ones(len(truth))

    def observer(snapshot: Snapshot) -> None:
        errors = adjusted_mse(truth[snapshot.images], snapshot.estimate)
        first = snapshot.starts == 0  # the curve of one start; a finished image keeps its last value
        latest_mse[snapshot.images[first]] = errors[first]
        latest_residual[snapshot.images[first]] = snapshot.residual[first]
        if first.any():
            age = int(snapshot.iterations[first].max())
            seen.append((age, snapshot.seconds, latest_mse.copy(), latest_residual.copy()))

    solver.solve(measurement, Streams(shard.seed), observer)
    if not seen:
        return None
    age, seconds, mse, residual = (np.array(column) for column in zip(*seen, strict=True))
    return Curve(age, seconds, np.median(mse, axis=1), np.median(residual, axis=1))


def convergence(curves: dict[str, Curve], shard: Shard) -> Figure:
    """Median error and residual of the first start, against iterations and against seconds."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(2, 2, sharey="row")
    for label, curve in curves.items():
        axes[0, 0].plot(curve.iterations, curve.mse, label=label)
        axes[0, 1].plot(curve.seconds, curve.mse)
        axes[1, 0].plot(curve.iterations, curve.residual)
        axes[1, 1].plot(curve.seconds, curve.residual)
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


def _save(figure: Figure, path: Path) -> None:
    replace_atomically(path, lambda stream: figure.savefig(stream, format="png", dpi=150))
