"""How a figure looks: its title, size and style, what solvers are called in it, and how they are told apart."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from bench.report.figures.once import DrawnOnce

SIZE = (9.0, 6.0)  # inches, without a legend
FONT, SMALLEST = 8, 4  # points of a legend, and where the size of the figure is given
LEGEND = 100  # characters of a line in the legend
MANY = 4  # axes: in a figure with more of them, small ticks take most of the time and are of little use
SHARE = 0.45  # of the height of a figure whose size is given, for its legend at most
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")  # as many as have no divisor in common with the lines
SHADES = (0.0, -0.45, 0.45, -0.7, 0.65)  # towards black, or white; as many as have no divisor in common with the lines

Place = Literal["outside upper center", "outside lower center"]
ABOVE: Place = "outside upper center"
BELOW: Place = "outside lower center"


@dataclass(frozen=True)
class Look:
    """What may be said of a figure.

    Attributes:
        title: above it.
        size: (width, height) in inches, of all of it; else as large as its content needs.
        style: the name of a style of matplotlib's, or a file.
        names: what solvers are called instead of their labels.
    """

    title: str = ""
    size: tuple[float, float] | None = None
    style: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, label: str) -> str:
        """What a solver is called. In a name that is given, what is between dollar signs is mathematics."""
        return self.names.get(label) or label.replace("$", r"\$")

    def figure(self, size: tuple[float, float] = SIZE) -> Figure:
        """An empty figure, which makes room for what is put into it."""
        return DrawnOnce(self.size or size)

    def add_legend(
        self, figure: Figure, handles: Sequence[Artist], names: Sequence[str], place: Place = ABOVE, title: str = ""
    ) -> None:
        """A legend above the axes or below them, in as many columns as there is room for; above them with the title.

        The figure grows by its height. Where the size of the figure is given, its letters become smaller instead.
        """
        fonts = (FONT,) if self.size is None else range(FONT, SMALLEST - 1, -1)
        title = textwrap.fill(self.title or title, LEGEND) if place == ABOVE else ""
        for font, columns in product(fonts, range(min(len(handles), 4), 0, -1)):
            legend = figure.legend(handles, names, loc=place, ncols=columns, fontsize=font, title=title)
            box = legend.get_window_extent()
            low = self.size is None or box.height <= SHARE * figure.bbox.height
            if (low and box.width <= 0.98 * figure.bbox.width) or (font, columns) == (fonts[-1], 1):
                break
            legend.remove()
        if self.size is None:
            width, height = figure.get_size_inches()
            figure.set_size_inches(width, height + box.height / figure.dpi)


PLAIN = Look()


def line_styles(labels: Sequence[str]) -> list[dict[str, Any]]:
    """A hue for each solver, or for each setting where there is one solver alone; then a shade, a line and a marker.

    A hue is used again with another shade, another line and another marker: 180 times before two lines look alike.
    """
    families = [label.partition("[")[0] for label in labels]
    if len(set(families)) == 1:
        families = list(labels)
    order = list(dict.fromkeys(families))
    hues = mpl.rcParams["axes.prop_cycle"].by_key().get("color", ["black"])
    uses: Counter[int] = Counter()
    styles = []
    for family in families:
        hue = order.index(family) % len(hues)
        use = uses[hue]
        uses[hue] += 1
        styles.append(
            {
                "color": _shade(hues[hue], SHADES[use % len(SHADES)]),
                "linestyle": LINES[use % len(LINES)],
                "marker": MARKERS[use % len(MARKERS)],
            }
        )
    return styles


def _shade(colour: str, shade: float) -> str:
    end = 0.0 if shade < 0 else 1.0
    red, green, blue = ((1 - abs(shade)) * part + abs(shade) * end for part in to_rgb(colour))
    return to_hex((red, green, blue))


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


def label_powers(ax: Axes) -> None:
    """Label logarithmic axes whose limits are known: powers of ten, and more where there are few of them."""
    for axis in "xy":
        if getattr(ax, f"get_{axis}scale")() != "log":
            continue
        low, high = getattr(ax, f"get_{axis}lim")()
        of = getattr(ax, f"{axis}axis")
        of.set_minor_formatter(NullFormatter())  # its labels would run into each other
        if len(ax.figure.axes) > MANY:
            of.set_minor_locator(NullLocator())
        if high < 300 * low:
            between = LogLocator(subs=(1, 2, 5) if high < 30 * low else (1, 3))
            of.set_major_locator(between if high > 4 * low else MaxNLocator(4))
            of.set_major_formatter(lambda x, _: f"{x:g}")
