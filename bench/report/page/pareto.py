"""Error against wall time per image: which solver is worth its cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.report.figures.once import DrawnOnce
from bench.report.figures.pareto import frontier
from bench.report.page import words
from bench.report.page.svg import INK, PALETTE, RULE

SMALLEST = 1e-12  # an error of zero has a place on the axis
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h", "<")  # as many as colours
LABEL = 7.5  # size of a label, in points
CLEAR = 4.0  # points between a marker and its label
MARKS = 8  # on an axis, at most


@dataclass(frozen=True)
class Point:
    """One solver on one problem. Costs are in milliseconds, errors relative; each with the bounds of an interval."""

    label: str
    group: str
    cost: tuple[float, float, float]
    error: tuple[float, float, float]


def best(points: Sequence[Point]) -> list[Point]:
    """The points that no other one beats in cost and error at once, the cheapest first."""
    return [points[i] for i in frontier([p.cost[0] for p in points], [p.error[0] for p in points])]


def pareto(facets: dict[str, list[Point]], groups: Sequence[str]) -> Figure:
    """One pair of axes for each problem; a point has the colour and the marker of its group.

    A line leads along the solvers that none beats. Their labels come first, then those of others.
    The artist of point i of facet k has the gid `point-k-i`.
    """
    columns = 1 if len(facets) == 1 else 2 if len(facets) <= 4 else 3
    lines = -(-len(facets) // columns)
    figure = DrawnOnce((6.2, 4.3) if columns == 1 else (4.6 * columns + 1, 3.2 * lines))
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    everything = [point for points in facets.values() for point in points]
    costs, errors = ([value for point in everything for value in getattr(point, of)] for of in ("cost", "error"))
    for ax in axes.flat[len(facets) :]:
        ax.set_visible(False)
    for k, (ax, (title, points)) in enumerate(zip(axes.flat, facets.items(), strict=False)):
        _draw(ax, points, groups, k)
        ax.set_title(title if len(facets) > 1 else "", fontsize=9, loc="left")
        _scale(ax.xaxis, costs, lambda cost, _: words.time(cost, words.short))
        _scale(ax.yaxis, errors, lambda error, _: words.short(error))
        ax.tick_params(labelbottom=True, labelleft=True)
    for ax in axes[-1]:
        ax.set_xlabel("wall time per image")
    for ax in axes[:, 0]:
        ax.set_ylabel("mean relative error")
    _explain(figure, dict(zip(groups, axes.flat[0].get_legend_handles_labels()[0], strict=False)), columns)
    figure.lay_out()  # for which labels are placed
    for ax, points in zip(axes.flat, facets.values(), strict=False):
        _label(ax, points)
    return figure


def _explain(figure: Figure, shown: dict[str, Artist], most: int) -> None:
    """A legend below the axes, in as many columns as there is room for, `most` at most."""
    for columns in range(most, 0, -1):
        legend = figure.legend(shown.values(), shown.keys(), loc="outside lower left", ncols=columns, fontsize=8)
        if legend.get_window_extent().width <= 0.98 * figure.bbox.width or columns == 1:
            break
        legend.remove()


def _draw(ax: Axes, points: list[Point], groups: Sequence[str], facet: int) -> None:
    for name, colour, marker in zip(groups, _cycle(PALETTE), _cycle(MARKERS), strict=False):
        ax.plot([], [], marker, color=colour, label=name)
    front = best(points)
    line = [p.cost[0] for p in front], [_seen(p.error[0]) for p in front]
    ax.plot(*line, color=INK, linewidth=0.8, alpha=0.5, zorder=1, drawstyle="steps-post")
    for i, point in enumerate(points):
        at = groups.index(point.group)
        colour, marker = PALETTE[at % len(PALETTE)], MARKERS[at % len(MARKERS)]
        x, y = point.cost[0], _seen(point.error[0])
        if point.cost[2] > point.cost[1]:
            ax.plot(point.cost[1:], [y, y], color=colour, linewidth=1, alpha=0.6)
        if point.error[2] > point.error[1]:
            ax.plot([x, x], [*map(_seen, point.error[1:])], color=colour, linewidth=1, alpha=0.6)
        ax.plot([x], [y], marker, color=colour, markersize=6, gid=f"point-{facet}-{i}")


def _scale(axis: object, values: list[float], written: object) -> None:
    """A logarithmic axis around these values."""
    shown = np.array([_seen(value) for value in values if np.isfinite(value)])
    low, high = shown.min(), shown.max()
    pad = max(1.15 * (high / low) ** 0.06, (2.6 * low / high) ** 0.5)  # a mark at least, and a margin
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low / pad, high * pad)})  # type: ignore[attr-defined]
    axis.set_major_locator(FixedLocator(marks(low / pad, high * pad)))  # type: ignore[attr-defined]
    axis.set_major_formatter(FuncFormatter(written))  # type: ignore[attr-defined, arg-type]
    axis.set_minor_locator(NullLocator())  # type: ignore[attr-defined]
    axis.grid(visible=True, color=RULE, linewidth=0.5)  # type: ignore[attr-defined]


def marks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, as far apart on a logarithmic axis as their labels need."""
    steps = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 7 else (1.0, 2.0, 5.0) if high / low < 70 else (1.0,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [mark for decade in decades for step in steps if low <= (mark := step * 10.0**decade) <= high]
    return found[:: -(-len(found) // MARKS) or 1]


def _label(ax: Axes, points: list[Point]) -> None:
    """Write the labels that find a free place beside their point, and beside all intervals if there is one."""
    pixel = ax.figure.dpi / 72
    places = ax.transData.transform([[p.cost[0], _seen(p.error[0])] for p in points])
    taken = [(x - CLEAR * pixel, y - CLEAR * pixel, x + CLEAR * pixel, y + CLEAR * pixel) for x, y in places]
    bars = [bar for point in points for bar in _bars(ax, point)]
    first = best(points)
    for i in sorted(range(len(points)), key=lambda i: points[i] not in first):
        text = ax.annotate(
            points[i].label, places[i], xycoords="figure pixels", fontsize=LABEL, annotation_clip=False, in_layout=False
        )
        size = text.get_window_extent()
        text.remove()
        around = list(_around(places[i], size.width, size.height, 1.5 * CLEAR * pixel))
        for avoided, (box, corner) in product(([*taken, *bars], taken), around):
            inside = ax.bbox.x0 <= box[0] and box[2] <= ax.bbox.x1 and ax.bbox.y0 <= box[1] and box[3] <= ax.bbox.y1
            if inside and not any(_overlap(box, other) for other in avoided):
                taken.append(box)
                x, y = ax.transAxes.inverted().transform(corner)
                ax.text(x, y, points[i].label, transform=ax.transAxes, fontsize=LABEL, va="bottom", in_layout=False)
                break


Box = tuple[float, float, float, float]


def _bars(ax: Axes, point: Point) -> Iterator[Box]:
    """The lines of the intervals of a point."""
    x, y = point.cost[0], _seen(point.error[0])
    low, high = map(_seen, point.error[1:])
    for ends in ([(point.cost[1], y), (point.cost[2], y)], [(x, low), (x, high)]):
        if np.isfinite(ends).all():
            (x0, y0), (x1, y1) = ax.transData.transform(ends)
            yield x0 - 1, y0 - 1, x1 + 1, y1 + 1


def _around(place: np.ndarray, width: float, height: float, clear: float) -> Iterator[tuple[Box, tuple[float, float]]]:
    """Boxes for a text beside a place: right, left, then above and below, on either side and in the middle."""
    x, y = place
    sides = [(clear, -height / 2), (-clear - width, -height / 2)]
    sides += [
        (dx, dy)
        for dy, dx in product((clear, -clear - height), (-width / 2, clear / 2, -clear / 2 - width, 0.0, -width))
    ]
    for dx, dy in sides:
        yield (x + dx, y + dy, x + dx + width, y + dy + height), (x + dx, y + dy)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _seen(value: float) -> float:
    return max(value, SMALLEST)


def _cycle(values: Sequence[str]) -> Iterator[str]:
    while True:
        yield from values
