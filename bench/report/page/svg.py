"""Matplotlib figures as SVG inside a page: small, readable, and in the colours of the page.

Text stays text, in the font of the page. There is no style in an element, which a content security policy forbids:
styles become attributes, and colours become classes, for which the style sheet has a light and a dark value.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

from cycler import cycler
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

INK, RULE = "#010101", "#020202"  # stand for the colours of text and of grid lines
PALETTE = tuple(f"#{i:02x}0a0a" for i in range(10))  # stands for the ten colours of lines; in the style sheet too

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_CLASSES = {RULE: "rule"} | {colour: f"c{i}" for i, colour in enumerate(PALETTE)}
_KEPT = {"fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-dashoffset", "opacity", "fill-opacity"}
_KEPT |= {
    "stroke-opacity",
    "stroke-linejoin",
    "stroke-linecap",
    "text-anchor",
    "font-size",
    "font-weight",
    "image-rendering",
}
_STYLE: Any = {
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 9.0,
    "grid.color": RULE,
    "legend.frameon": False,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "phasebench",  # the same picture has the same bytes
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a label is a dollar
    "xtick.color": INK,
    "ytick.color": INK,
}

ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _LINK)


def inline(
    name: str, about: str, draw: Callable[[], Figure], tips: Mapping[str, str] | None = None, *, themed: bool = True
) -> Markup:
    """What `draw` draws, as an SVG element.

    Args:
        name: begins all its ids: no two figures of a page have the same.
        about: what it shows, for those who do not see it.
        themed: lines take their colours from the style sheet; else those of matplotlib, shaded where there are many.
        tips: by the gid of an artist, what is said when it is pointed at.
    """
    stream = io.BytesIO()
    with rc_context(_STYLE | ({"axes.prop_cycle": cycler(color=PALETTE)} if themed else {})):
        draw().savefig(stream, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    root = ElementTree.fromstring(stream.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    used = set(re.findall(r'"#([^"]+)"|url\(#([^)]+)\)', stream.getvalue().decode()))
    named = {one or other for one, other in used}
    for element in root.iter():
        if tip := (tips or {}).get(element.get("id", "")):
            title = ElementTree.Element(f"{{{_SVG}}}title")
            title.text = tip
            element.insert(0, title)
        if element.get("id") not in named:
            element.attrib.pop("id", None)
        _restyle(element)
        _rename(element, name)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib.pop("version", None)
    root.attrib |= {"role": "img", "aria-label": about}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _restyle(element: ElementTree.Element) -> None:
    """Styles as attributes, colours as classes, and numbers with two decimals."""
    styles = dict(part.split(":", 1) for part in element.attrib.pop("style", "").split(";") if ":" in part)
    for key, value in styles.items():
        key, value = key.strip(), value.strip()
        if key == "font":  # the font is that of the page
            key, value = "font-size", re.search(r"[\d.]+px", value)[0]  # type: ignore[index]  # it always has a size
        if key in _KEPT:
            element.set(key, value)
    classes = []
    for key in ("fill", "stroke"):
        colour = element.get(key)
        if colour == INK:
            element.set(key, "currentColor")
        elif colour in _CLASSES:
            classes.append(f"{key}-{_CLASSES[colour]}")
            del element.attrib[key]
    if classes:
        element.set("class", " ".join(classes))
    for key in ("d", "points", "transform", "x", "y", "width", "height"):
        if key in element.attrib:
            element.set(key, re.sub(r"-?\d+\.\d{3,}", lambda n: f"{float(n[0]):.2f}", element.attrib[key]))


def _rename(element: ElementTree.Element, name: str) -> None:
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key in ("href", f"{{{_LINK}}}href") and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{name}-"))
