"""Pictures of a reconstruction from a measured pattern."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import scipy.fft
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.reconstruction.result import Reconstructed
from bench.score.transfer import THRESHOLD
from solvers.files import replace_atomically

EDGE = 0.15  # of the object's size, around it


def draw_reconstruction(found: Reconstructed, folder: Path) -> None:
    """object.png and prtf.png in this folder.

    Raises:
        OSError: they cannot be written.
    """
    for name, figure in (("object.png", object_figure(found)), ("prtf.png", prtf_figure(found))):
        replace_atomically(folder / name, partial(figure.savefig, format="png", dpi=150))


def object_figure(found: Reconstructed) -> Figure:
    """Magnitude, phase, support and spread; measured and fitted pattern, residual by ring, and the starts."""
    figure = Figure(figsize=(14, 7), layout="constrained")
    axes = figure.subplots(2, 4)
    window = _window(found.support)
    picture, support = found.object[window], found.support[window]
    magnitude, top = np.abs(picture), float(np.abs(picture).max())
    _image(axes[0, 0], "magnitude", magnitude, cmap="viridis", vmin=0, vmax=top)
    if np.iscomplexobj(picture):
        angle = np.where(support, np.angle(picture * np.conj(picture[support].sum())), np.nan)
        _image(axes[0, 1], "phase within the support", angle, cmap="twilight", vmin=-np.pi, vmax=np.pi)
    else:
        _image(axes[0, 1], "object", picture, cmap="RdBu_r", vmin=-top, vmax=top)
    _image(axes[0, 2], f"support, {int(found.support.sum())} pixels", support, cmap="gray", vmin=0, vmax=1)
    title = f"spread of the {int(found.agrees.sum())} starts that agree"
    _image(axes[0, 3], title, found.spread[window], cmap="magma", vmin=0, vmax=top)
    measured, fitted = (scipy.fft.fftshift(plane) for plane in (found.intensities, found.fitted))
    light = measured[np.isfinite(measured) & (measured > 0)]
    darkest = max(float(light.min()), float(light.max()) * 1e-7)
    scale = LogNorm(darkest, float(light.max()))
    for ax, title, plane in (
        (axes[1, 0], "measured pattern", measured),
        (axes[1, 1], "pattern of the best start", fitted),
    ):
        _image(ax, title, np.maximum(plane, darkest), cmap="inferno", norm=scale)  # no count is dark, not missing
    frequency, _ = found.prtf
    axes[1, 2].plot(frequency, found.residual_by_ring())
    axes[1, 2].set_xlabel("frequency (cycles per pixel)")
    axes[1, 2].set_title("residual by ring, best start", fontsize=9)
    axes[1, 3].scatter(found.residual, found.error, c=np.where(found.agrees, "C0", "C3"), s=20)
    axes[1, 3].set_xlabel("residual of a start")
    axes[1, 3].set_title("error against the best start (red: does not agree)", fontsize=9)
    for ax in axes[1, 2:]:
        ax.grid(visible=True, alpha=0.3)
    figure.suptitle(found.solver, fontsize=9)
    return figure


def prtf_figure(found: Reconstructed) -> Figure:
    """The transfer function over frequency, and where the resolution is read."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    ax = figure.subplots()
    frequency, prtf = found.prtf
    ax.plot(frequency, prtf)
    ax.axhline(THRESHOLD, color="gray", linewidth=0.8)
    ax.annotate("1/e", (frequency[-1], THRESHOLD), textcoords="offset points", xytext=(-18, 4), fontsize=8)
    if np.isfinite(found.half_period):
        ax.axvline(1 / (2 * found.half_period), color="C1", linestyle="--", linewidth=0.8)
        ax.set_title(f"{int(found.agrees.sum())} starts, half period {found.half_period:.2f} pixels", fontsize=9)
    ax.set_ylim(0, None)
    ax.grid(visible=True, alpha=0.3)
    ax.set_xlabel("frequency (cycles per pixel)")
    ax.set_ylabel("PRTF")
    return figure


def _image(ax: Axes, title: str, values: NDArray, **style: object) -> None:
    ax.imshow(values, interpolation="nearest", **style)  # type: ignore[arg-type]  # of imshow
    ax.set_facecolor("0.7")  # where there is no value
    ax.set_title(title, fontsize=9)
    ax.set_xticks([])
    ax.set_yticks([])


def _window(support: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns of a support, and some around it."""
    found = []
    for axis, m in enumerate(support.shape):
        taken = np.flatnonzero(support.any(axis=1 - axis))
        edge = 2 + int(EDGE * (taken[-1] - taken[0]))
        found.append(slice(max(int(taken[0]) - edge, 0), min(int(taken[-1]) + edge + 1, m)))
    return found[0], found[1]
