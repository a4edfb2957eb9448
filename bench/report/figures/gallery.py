"""Truth, reconstruction and error of the images that a run has kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.errors import RequestError
from bench.report.figures.look import Look, folded
from bench.report.figures.source import Source
from bench.report.pictures import Picture
from bench.report.settings import briefly
from bench.sweep.rows import UNSOLVED
from datasets.problem import Problem

COLUMNS = 12  # images side by side, about
TILE, GAP, BETWEEN = 0.9, 0.06, 0.3  # inches: an image, the space between two, and that between problems
LINE = 0.13  # inches of a line of text
SMALL, LARGE = 7, 9  # points of the letters
FAINT_TEXT = 0.6  # opacity
LABEL = 24  # characters of a line in the name of a solver
LEAST = 0.15  # inches of an image, where the size of the figure is given
FAINT = 0.2  # of the largest magnitude: below it a phase means little, and is drawn darker
LUMINANCE, PHASES, ERRORS = "gray", "hsv", "magma"
STRIP = (0.9, 0.08)  # inches: a scale of colours
ERROR = "error"  # the name of its rows
ERROR_SCALE, PHASE_SCALE = "error, 0 to the maximum of the truth", "phase, −π to π"


@dataclass(frozen=True)
class Choice:
    """Which of the kept images are shown: these; or the best or worst of each solver; or the first ones."""

    images: tuple[int, ...] = ()
    worst: int = 0
    best: int = 0


FIRST = Choice()


@dataclass(frozen=True)
class Band:
    """A row of tiles: what each shows, as RGB (n1, n2, 3) or None; what is below each; and what the row is called."""

    name: str
    tiles: list[NDArray | None]
    captions: list[str]
    opens: bool  # a group of rows


def gallery(source: Source, look: Look, choice: Choice = FIRST) -> Figure:
    """Images side by side, with rows for the truth and for what each solver made of it, with its error below.

    Reconstructions are registered to the truth. Of complex images, magnitude and phase are shown; of all of them, the
    magnitude of the difference from the truth, on the scale of the truth. Where nobody knows the truth, reconstructions
    are as they are, each on a scale of its own.

    Raises:
        RequestError: nothing was kept, or not these images; or it does not fit into the size that is asked for; or the
            best or worst are asked for where there is no error.
    """
    objects: dict[tuple[Problem, int], list[Picture]] = {}  # other seeds have other objects
    for picture in source.pictures:
        objects.setdefault((picture.problem, picture.seed), []).append(picture)
    labels = list(dict.fromkeys(picture.solver for picture in source.pictures))
    kept = {picture.image for picture in source.pictures}
    for image in choice.images:
        if image not in kept:
            choices = ", ".join(map(str, sorted(kept)))
            raise RequestError(f"'{source.folder}' keeps no picture of image {image}: choose from {choices}")
    if (choice.worst or choice.best) and any(picture.truth is None for picture in source.pictures):
        raise RequestError(
            f"'{source.folder}' has no errors, by which images are the best or the worst: nobody knows the objects"
        )
    titles = briefly(problem for problem, _ in objects)
    if len(titles) == 1:
        titles = {problem: problem.briefly() for problem in titles}
    seeds = len({seed for _, seed in objects}) > 1
    blocks = [
        (
            titles[problem] + f", seed {seed}" * seeds,
            _bands(pictures, labels, look, choice, max(1, COLUMNS // len(objects))),
        )
        for (problem, seed), pictures in objects.items()
    ]
    return _drawn(blocks, look, any(np.iscomplexobj(_scale(picture)) for picture in source.pictures))


def left_out(source: Source) -> str:
    """Which solvers have no row in a gallery of this, each with the reason; empty where all have one.

    Raises:
        RequestError: as `source.pictures` and `source.rows`.
    """
    images = {picture.image for picture in source.pictures}
    with_picture = {picture.solver for picture in source.pictures}
    missing = [label for label in source.labels if label not in with_picture]
    if not missing:
        return ""
    rows = source.rows[source.rows["image"].isin(images)]
    solved = set(rows.loc[~rows["status"].isin(UNSOLVED), "solver"])
    failed = [label for label in missing if label in set(rows["solver"]) - solved]
    unkept = [label for label in missing if label not in failed]
    reasons = {"no picture was kept": unkept, "failed on every image that was kept": failed}
    return "; ".join(f"{', '.join(labels)} ({reason})" for reason, labels in reasons.items() if labels)


def _bands(pictures: Sequence[Picture], labels: Sequence[str], look: Look, choice: Choice, count: int) -> list[Band]:
    """The rows of one problem and seed; what a solver has not is left blank."""
    phases = any(np.iscomplexobj(_scale(one)) for one in pictures)
    known = any(one.truth is not None for one in pictures)
    by_solver = {label: {one.image: one for one in pictures if one.solver == label} for label in labels}
    by_image = {one.image: one for one in pictures}
    if choice.worst or choice.best:
        bands = []
        for label, found in by_solver.items():
            ranked = sorted(found.values(), key=lambda one: one.error, reverse=bool(choice.worst))
            chosen = ranked[: choice.worst or choice.best]
            bands += _truth([one.image for one in chosen], by_image, phases)
            bands += _of_solver(look.name(label), list(chosen) or [None], phases, known)
        return bands
    images = choice.images or _first(by_solver, count)
    bands = _truth(images, by_image, phases)
    for label, found in by_solver.items():
        bands += _of_solver(look.name(label), [found.get(image) for image in images], phases, known)
    return bands


def _first(by_solver: Mapping[str, Mapping[int, Picture]], count: int) -> tuple[int, ...]:
    """So many images, first those that most solvers have; and one more of each solver that has none of them."""
    solvers = Counter(image for found in by_solver.values() for image in found)
    chosen = sorted(solvers, key=lambda image: (-solvers[image], image))[:count]
    for found in by_solver.values():
        if found and not found.keys() & set(chosen):
            chosen.append(min(found))
    return tuple(sorted(chosen))


def _truth(images: Sequence[int], by_image: Mapping[int, Picture], phases: bool) -> list[Band]:
    truths = [by_image[image].truth if image in by_image else None for image in images]
    if all(truth is None for truth in truths):
        return []
    parts = _parts([None if truth is None else (truth, truth) for truth in truths], phases)
    captions = [f"image {image}" for image in images]
    last = len(parts) - 1
    return [
        Band(" ".join(["truth", part][: 1 + bool(part)]), tiles, captions if i == last else [], i == 0)
        for i, (part, tiles) in enumerate(parts.items())
    ]


def _of_solver(name: str, found: Sequence[Picture | None], phases: bool, known: bool) -> list[Band]:
    """The rows of a solver; without errors where the objects are not known."""
    parts = _parts([None if one is None else (one.reconstruction, _scale(one)) for one in found], phases)
    bands = [
        Band(name if i == 0 else part, tiles, [], i == 0) for i, (part, tiles) in enumerate(parts.items())
    ]  # fmt: skip
    if not known:
        captions = ["no image" if one is None else f"image {one.image}" for one in found]
        return [*bands[:-1], replace(bands[-1], captions=captions)]
    errors = [None if one is None else _error(one.reconstruction, _scale(one)) for one in found]
    captions = ["no image" if one is None else f"{one.error:.2g}" for one in found]
    return [*bands, Band(ERROR, errors, captions, opens=False)]


def _scale(picture: Picture) -> NDArray:
    """What a reconstruction is shown on the scale of: its truth, or itself."""
    return picture.reconstruction if picture.truth is None else picture.truth


def _parts(images: Sequence[tuple[NDArray, NDArray] | None], phases: bool) -> dict[str, list[NDArray | None]]:
    """What is shown of images, each on the scale of its truth: of complex ones, which have phases, two parts."""
    if not phases:
        return {"": [None if one is None else _luminance(*one) for one in images]}
    return {
        "magnitude": [None if one is None else _luminance(np.abs(one[0]), np.abs(one[1])) for one in images],
        "phase": [None if one is None else _phase(*one) for one in images],
    }


def _luminance(image: NDArray, truth: NDArray) -> NDArray:
    low, high = min(0.0, float(truth.min())), float(truth.max())
    return _colours(LUMINANCE, (image - low) / (high - low or 1.0))


def _phase(image: NDArray, truth: NDArray) -> NDArray:
    light = np.clip(np.abs(image) / (FAINT * float(np.abs(truth).max()) or 1.0), 0, 1)
    return _colours(PHASES, np.angle(image) / (2 * np.pi) % 1) * light[..., None]


def _error(image: NDArray, truth: NDArray) -> NDArray:
    span = float(np.abs(truth).max()) if np.iscomplexobj(truth) else float(truth.max()) - min(0.0, float(truth.min()))
    return _colours(ERRORS, np.abs(image - truth) / (span or 1.0))


def _colours(name: str, values: NDArray) -> NDArray:
    """RGB of values in [0, 1]; white where there is no number."""
    colours = mpl.colormaps[name](np.clip(np.nan_to_num(values), 0, 1))[..., :3]
    colours[np.isnan(values)] = 1.0
    return colours


# ---- where everything lies


def _drawn(blocks: list[tuple[str, list[Band]]], look: Look, phases: bool) -> Figure:
    """Problems side by side, in as many lines as they need. All places are in inches from the upper left corner.

    The rows of a line have their names at its left end: problems whose rows differ are in lines of their own.

    Args:
        phases: there are some, of which the scale of colours is shown.
    """
    names = {band.name: folded(band.name, LABEL) for _, bands in blocks for band in bands}
    figure = Figure(figsize=look.size or (1.0, 1.0))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.axis("off")
    scales = {}
    if any(band.name == ERROR for _, bands in blocks for band in bands):
        scales[ERROR_SCALE] = _colours(ERRORS, np.linspace(0, 1, 64))
    if phases:
        scales[PHASE_SCALE] = _colours(PHASES, np.linspace(-0.5, 0.5, 64) % 1)
    left = _width(ax, list(names.values())) + 2 * GAP
    lines = _lines(blocks)
    columns = [
        max(len(band.tiles) for _, bands in column for band in bands)
        for column in ([line[k] for line in lines if k < len(line)] for k in range(max(map(len, lines))))
    ]
    tallest = [max(line, key=lambda block: sum(map(_beside, block[1])))[1] for line in lines]
    rows = sum(map(len, tallest))
    shape = next(tile.shape for _, bands in blocks for band in bands for tile in band.tiles if tile is not None)
    ratio = shape[0] / shape[1]
    # What does not grow with the tiles.
    titles = [[line[k][0] for line in lines if k < len(line)] for k in range(len(columns))]
    wide = [
        max(0.0, _width(ax, texts, LARGE) - count * (TILE + GAP) + GAP)
        for texts, count in zip(titles, columns, strict=True)
    ]  # by how much titles are wider than the tiles below them
    beside = left + BETWEEN * (len(columns) - 1) + GAP * sum(columns) + sum(wide)
    head = GAP + (2 * LINE + GAP) * bool(look.title)
    foot = LINE * len(scales) + GAP
    above = head + foot + sum(LINE + GAP + sum(map(_beside, bands)) for bands in tallest)
    least = STRIP[0] + _width(ax, list(scales)) + 3 * GAP if scales else 0.0
    enough = max(beside + TILE * sum(columns), least), above + TILE * ratio * rows
    width, height = look.size or enough
    tile = min((width - beside) / sum(columns), (height - above) / (ratio * rows))
    if tile < LEAST or width < least:
        raise RequestError(
            f"--size {width:g}x{height:g}: {sum(columns)} images in {rows} rows do not fit; "
            f"{enough[0]:.0f}x{enough[1]:.0f} would do"
        )
    figure.set_size_inches(width, height)
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    if look.title:
        ax.text(width / 2, GAP, look.title, ha="center", va="top", fontsize=LARGE)
    y = head
    layer = 0
    for line, bands in zip(lines, tallest, strict=True):
        x = left
        for number, (title, own) in enumerate(line):
            over = columns[number] * (tile + GAP) - GAP + wide[number]
            ax.text(x + over / 2, y, title, ha="center", va="top", fontsize=LARGE)
            _place(ax, own, names if number == 0 else {}, (x, y + LINE + GAP), tile, ratio, layer)
            x += over + GAP + BETWEEN
        y += LINE + GAP + sum(tile * ratio + _beside(band) for band in bands)
        layer += len(bands)
    for i, (name, colours) in enumerate(scales.items()):
        top = height - foot + i * LINE
        extent = (GAP, GAP + STRIP[0], top + STRIP[1], top)
        ax.imshow(colours[None], extent=extent, interpolation="nearest", aspect="auto", zorder=layer)
        at = 2 * GAP + STRIP[0], top + STRIP[1] / 2
        ax.text(*at, name, ha="left", va="center", fontsize=SMALL, alpha=FAINT_TEXT)
    ax.set_aspect("auto")
    return figure


def _place(
    ax: Axes,
    bands: list[Band],
    names: dict[str, str],
    at: tuple[float, float],
    tile: float,
    ratio: float,
    layer: int,
) -> None:
    """Draw the rows of a problem, and what they are called where there are names.

    Each row lies on a layer of its own, from `layer` upwards, below its captions: an SVG file has one large image of
    those that nothing lies between, into which matplotlib copies each of them at the price of the whole.
    """
    left, y = at
    for on, band in enumerate(bands, layer):
        y += _before(band)
        if names:
            style: dict[str, Any] = {"fontweight": "bold"} if band.opens else {"alpha": FAINT_TEXT}
            middle = y + tile * ratio / 2
            ax.text(left - GAP, middle, names[band.name], ha="right", va="center", fontsize=SMALL, zorder=on, **style)
        for i, image in enumerate(band.tiles):
            x = left + i * (tile + GAP)
            if image is not None:
                extent = (x, x + tile, y + tile * ratio, y)
                ax.imshow(image, extent=extent, interpolation="nearest", aspect="auto", zorder=on)
            if band.captions:
                below = y + tile * ratio + GAP / 3
                text = band.captions[i]
                ax.text(x + tile / 2, below, text, ha="center", va="top", fontsize=SMALL, zorder=on + 0.5)
        y += tile * ratio + _beside(band) - _before(band)


def _before(band: Band) -> float:
    """The height of the space above a row."""
    return 2 * GAP * band.opens


def _beside(band: Band) -> float:
    """The height of a row besides that of its tiles."""
    return _before(band) + GAP + LINE * bool(band.captions)


def _lines(blocks: list[tuple[str, list[Band]]]) -> list[list[tuple[str, list[Band]]]]:
    """The problems of each line: as many as there is room for, all with the same rows."""
    widest = max(len(band.tiles) for _, bands in blocks for band in bands)
    across = max(1, COLUMNS // widest)
    alike: dict[tuple[str, ...], list[tuple[str, list[Band]]]] = {}
    for block in blocks:
        alike.setdefault(tuple(band.name for band in block[1]), []).append(block)
    return [group[i : i + across] for group in alike.values() for i in range(0, len(group), across)]


def _width(ax: Axes, texts: Sequence[str], size: int = SMALL) -> float:
    """Of the widest text, in inches."""
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    widest = 0.0
    for text in texts:
        written = ax.text(0, 0, text, fontsize=size, fontweight="bold")
        widest = max(widest, written.get_window_extent().width / figure.dpi)
        written.remove()
    return widest
