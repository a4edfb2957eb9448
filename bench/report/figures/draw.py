"""Every kind of figure of a finished run, from what lies on disk: as files, or as SVG for a page.

source = Source(Path("runs/first"), solvers=["rrr[nonneg=true]", "unet_a"])
svg("pareto", source, Look(title="What an error costs"))
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import matplotlib as mpl
from matplotlib import style
from matplotlib.figure import Figure

from bench.errors import RequestError, one_line
from bench.report.figures.convergence import convergence
from bench.report.figures.gallery import Choice, gallery
from bench.report.figures.look import Look
from bench.report.figures.pareto import pareto
from bench.report.figures.photons import photons
from bench.report.figures.profile import profile
from bench.report.figures.source import Source
from solvers.files import write_atomically

KINDS: Mapping[str, Callable[[Source, Look], Figure]] = {
    kind.__name__: kind for kind in (gallery, convergence, photons, pareto, profile)
}
FORMATS = ("png", "svg", "pdf")
DPI = 150

_STAMPS = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
_REFERENCE = re.compile(r'(\bid="|url\(#|href="#)')


def draw(kind: str, source: Source, look: Look = Look(), choice: Choice = Choice(), format: str = "png") -> bytes:  # noqa: B008 - frozen
    """A figure as the content of a file. What is the same is drawn to the same bytes.

    Args:
        kind: one of KINDS.
        format: one of FORMATS.

    Raises:
        RequestError: the run is not there or damaged, or has nothing for this kind; the style is not known.
    """
    stream = io.BytesIO()
    with _style(look):
        make = partial(gallery, choice=choice) if kind == "gallery" else KINDS[kind]
        figure = make(source, look)
        figure.savefig(stream, format=format, dpi=DPI, metadata=_STAMPS[format])
    return stream.getvalue()


def svg(kind: str, source: Source, look: Look = Look(), choice: Choice = Choice(), name: str = "") -> str:  # noqa: B008 - frozen
    """A figure as an `<svg>` element of an HTML page, with its text as text.

    Args:
        name: begins the ids in it, which have to differ from those of other figures on the page; else the kind.

    Raises:
        RequestError: as `draw`.
    """
    with mpl.rc_context({"svg.fonttype": "none"}):
        text = draw(kind, source, look, choice, "svg").decode()
    return _REFERENCE.sub(rf"\g<1>{name or kind}-", text[text.index("<svg") :])


def draw_all(
    source: Source,
    folder: Path,
    kinds: Sequence[str] = (),
    look: Look = Look(),  # noqa: B008 - frozen
    choice: Choice = Choice(),  # noqa: B008 - frozen
    format: str = "png",
) -> list[Path]:
    """Draw these kinds into a folder; or all that the run has something for, where none may be left of another run.

    Raises:
        RequestError: as `draw`, for a kind that is asked for; or the run has nothing for any of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written, without = [], []
    for kind in kinds or KINDS:
        path = folder / f"{kind}.{format}"
        try:
            content = draw(kind, source, look, choice, format)
        except RequestError as error:
            if kinds:
                raise
            without.append(error)
            path.unlink(missing_ok=True)
            continue
        write_atomically(path, content)
        written.append(path)
    if not written:
        raise without[0]
    return written


@contextmanager
def _style(look: Look) -> Iterator[None]:
    with mpl.rc_context({"svg.hashsalt": "phasebench"}):
        try:
            context = style.context(look.style) if look.style else style.context({})
            with context:
                yield
        except OSError as error:
            if look.style is None:
                raise
            choices = ", ".join(one for one in style.available if not one.startswith("_"))
            raise RequestError(
                f"style '{look.style}' is neither a file nor a style of matplotlib's ({one_line(error)}): "
                f"choose from {choices}"
            ) from error
