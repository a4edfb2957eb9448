"""A picture of a training: loss and validation against the images that were trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from solvers.files import replace_atomically
from solvers.training import history

POINTS = 200  # of the smooth line, at most
NEIGHBOURS = 10  # steps behind one of them, at least


def draw_history(source: Path, picture: Path) -> None:
    """Draw the history in `source`, a CSV file, as a PNG file.

    Raises:
        OSError: one cannot be read, or the other not written.
    """
    rows = history.read(source)
    figure = training_figure(rows, source.name.removesuffix(".history.csv"))
    replace_atomically(picture, lambda stream: figure.savefig(stream, format="png", dpi=150))


def training_figure(rows: list[history.Step], title: str) -> Figure:
    """The loss of every step, its mean over neighbouring ones, and the scores on the images held out."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    ax = figure.subplots()
    images, loss, validation = (
        np.array([getattr(row, name) for row in rows], dtype=float) for name in ("images", "loss", "validation")
    )
    ax.plot(images, loss, color="C0", alpha=0.3, linewidth=0.7, label="loss of a step")
    if len(rows) >= 2 * NEIGHBOURS:
        count = min(POINTS, len(rows) // NEIGHBOURS)
        smooth = ([piece.mean() for piece in np.array_split(values, count)] for values in (images, loss))
        ax.plot(*smooth, color="C0", label="its mean")
    measured = np.isfinite(validation)
    ax.plot(images[measured], validation[measured], "o-", color="C1", label="validation: adjusted error")
    ax.set_yscale("log")
    ax.set_xlabel("images trained on")
    ax.set_title(title, fontsize=10)
    ax.grid(visible=True, alpha=0.3)
    ax.legend(fontsize=8)
    return figure
