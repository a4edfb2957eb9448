"""Every kind of figure of a finished run, from what lies on disk.

source = Source(Path("runs/first"), solvers=["rrr[nonneg=true]", "unet_a"])
draw("pareto", source, Look(title="What an error costs"), format="svg")
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import matplotlib as mpl
from matplotlib import style
from matplotlib.figure import Figure

from bench.errors import NothingStoredError, RequestError, one_line
from bench.report.figures.convergence import convergence
from bench.report.figures.gallery import FIRST, Choice, gallery
from bench.report.figures.look import PLAIN, Look
from bench.report.figures.over import AXES, error_over
from bench.report.figures.pareto import pareto
from bench.report.figures.profile import profile
from bench.report.figures.source import Source
from solvers.files import write_atomically

KINDS: Mapping[str, Callable[[Source, Look], Figure]] = {
    "gallery": gallery,
    "convergence": convergence,
    **{name: partial(error_over, axis=axis) for name, axis in AXES.items()},
    "pareto": pareto,
    "profile": profile,
}
OF_CURVES = ("convergence",)  # kinds that need what was watched of the solvers
WITHOUT_TRUTH = ("gallery", "convergence")  # kinds that need no error: measured patterns have none
FORMATS = ("png", "svg", "pdf")
DPI = 150

_STAMPS = {
    "png": {"Software": None},
    "svg": dict.fromkeys(["Creator", "Date", "Format", "Type"]),
    "pdf": {"CreationDate": None},
}


def draw(kind: str, source: Source, look: Look = PLAIN, choice: Choice = FIRST, format: str = "png") -> bytes:
    """A figure as the content of a file. What is the same is drawn to the same bytes.

    Args:
        kind: one of KINDS.
        format: one of FORMATS.

    Raises:
        RequestError: the run is damaged, or the style is not known.
        NothingStoredError: the run has nothing for this kind.
    """
    if kind not in WITHOUT_TRUTH and not source.knows_truth:
        raise NothingStoredError(f"'{source.folder}' has no errors: nobody knows the objects of measured patterns")
    stream = io.BytesIO()
    with _style(look):
        make = partial(gallery, choice=choice) if kind == "gallery" else KINDS[kind]
        figure = make(source, look)
        figure.savefig(stream, format=format, metadata=_STAMPS[format])
    return stream.getvalue()


def draw_all(
    source: Source,
    folder: Path,
    kinds: Sequence[str] = (),
    look: Look = PLAIN,
    choice: Choice = FIRST,
    format: str = "png",
) -> tuple[list[Path], dict[str, str]]:
    """Draw these kinds into a folder; or all that the run has something for, where none may be left of another run.

    Returns:
        The files, and why there is none of the other kinds.

    Raises:
        RequestError: as `draw`.
        NothingStoredError: the run has nothing for a kind that is asked for, or for any.
    """
    if not kinds:
        written, without = draw_stored(source, folder, list(KINDS), look, choice, format)
        if not written:
            raise NothingStoredError(next(iter(without.values())))
        return written, without
    return [_write(kind, source, folder, look, choice, format) for kind in kinds], {}


def draw_stored(
    source: Source,
    folder: Path,
    kinds: Sequence[str],
    look: Look = PLAIN,
    choice: Choice = FIRST,
    format: str = "png",
) -> tuple[list[Path], dict[str, str]]:
    """As `draw_all`, those of these kinds that the run has something for; there may be none."""
    written: list[Path] = []
    without: dict[str, str] = {}
    for kind in kinds:
        try:
            written.append(_write(kind, source, folder, look, choice, format))
        except NothingStoredError as error:
            without[kind] = str(error)
            _file(folder, kind, format).unlink(missing_ok=True)
    return written, without


def remove_stored(folder: Path) -> None:
    """Remove what `draw_stored` writes."""
    for kind in KINDS:
        _file(folder, kind, FORMATS[0]).unlink(missing_ok=True)


def _write(kind: str, source: Source, folder: Path, look: Look, choice: Choice, format: str) -> Path:
    content = draw(kind, source, look, choice, format)
    folder.mkdir(parents=True, exist_ok=True)
    path = _file(folder, kind, format)
    write_atomically(path, content)
    return path


def _file(folder: Path, kind: str, format: str) -> Path:
    return folder / f"{kind}.{format}"


def check_style(name: str) -> None:
    """Refuse a style that is neither a file nor known by name to matplotlib.

    Raises:
        RequestError: in one line, with the choices.
    """
    if name != "default" and name not in style.available and not Path(name).expanduser().is_file():
        choices = ", ".join(["default", *(one for one in style.available if not one.startswith("_"))])
        raise RequestError(f"style '{name}' is no file, and none of {choices}")


@contextmanager
def _style(look: Look) -> Iterator[None]:
    with mpl.rc_context({"svg.hashsalt": "phasebench", "savefig.dpi": DPI}):
        if look.style is not None:
            check_style(look.style)
            named = look.style in ("default", *style.available)
            try:
                style.use(look.style if named else Path(look.style).expanduser())
            except (OSError, ValueError) as error:
                raise RequestError(f"style '{look.style}' cannot be read: {one_line(error)}") from error
        yield
