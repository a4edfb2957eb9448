"""`bench plot`: figures of a finished run from what lies on disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib.mathtext import MathTextParser
from rich.console import Console

from bench.errors import RequestError, one_line
from bench.report.figures.draw import FORMATS, KINDS, check_style, draw, draw_all
from bench.report.figures.gallery import FIRST, Choice, left_out
from bench.report.figures.look import Look
from bench.report.figures.source import Source
from bench.report.finished import known_label
from bench.report.pictures import read_pictures
from bench.report.settings import problem_of
from bench.report.terminal import error_console, output_console
from bench.sweep.rows import UNSOLVED
from datasets.problem import COLUMNS
from solvers.files import write_atomically

LARGEST = 100.0  # inches
HINTED = 24  # images without a picture that are named, at most

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[x×]\s*(\d+(?:\.\d+)?)\s*", re.ASCII)


def plot(
    run: Path,
    *,
    kinds: Sequence[str] = (),
    output: Path | None = None,
    format: str | None = None,
    solvers: Sequence[str] = (),
    where: Sequence[str] = (),
    choice: Choice = FIRST,
    title: str = "",
    size: str | None = None,
    style: str | None = None,
    renames: Sequence[str] = (),
    console: Console | None = None,
) -> list[Path]:
    """Draw these kinds, or all that the run has something for; returns the files.

    Args:
        output: a file, of one kind; or a folder; or else the figures of the run.
        where: `column=value` of the problems that are drawn.
        size: `8x5`, in inches.
        renames: `label=name`.

    Raises:
        RequestError: in one line; the run is not there or has nothing for a kind, or an option is not understood.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise RequestError(f"--kind: unknown kind '{kind}': choose from {', '.join(KINDS)}")
    _check(choice, kinds)
    path, format = _target(output, format, kinds)
    if style is not None:
        check_style(style)
    without: dict[str, str] = {}
    source = Source(run, solvers, _pairs(where))
    look = Look(_text("--title", title), _size(size), style, _names(renames, source))
    if path is not None:
        written = [path]
        content = draw(kinds[0], source, look, choice, format)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        except OSError as error:
            raise RequestError(f"output '{path}' cannot be written: {error.strerror}") from error
    else:
        folder = output or run / "figures"
        if folder.exists() and not folder.is_dir():
            raise RequestError(f"--output '{folder}' is no folder, and its name ends in none of {', '.join(FORMATS)}")
        try:
            written, without = draw_all(source, folder, kinds, look, choice, format)
        except OSError as error:
            raise RequestError(f"output '{folder}' cannot be written: {error.strerror}") from error
    said = error_console()
    for kind, reason in without.items():
        said.print(f"no {kind}: {reason}", style="dim", highlight=False, markup=False, soft_wrap=True)
    if (not kinds or "gallery" in kinds) and "gallery" not in without:
        if missing := left_out(source):
            said.print(f"not in the gallery: {missing}", style="dim", highlight=False, markup=False, soft_wrap=True)
        if choice.worst or choice.best:
            _hint(source, choice, said)
    console = console or output_console()
    for file in written:
        console.print(str(file), highlight=False, markup=False, soft_wrap=True)
    return written


def _check(choice: Choice, kinds: Sequence[str]) -> None:
    given = [name for name, value in vars(choice).items() if value]
    if len(given) > 1:
        raise RequestError(f"--{given[0]} and --{given[1]} both choose the images of a gallery: leave one of them out")
    if given and kinds and "gallery" not in kinds:
        raise RequestError(f"--{given[0]} chooses the images of a gallery: it says nothing of {', '.join(kinds)}")


def _target(output: Path | None, format: str | None, kinds: Sequence[str]) -> tuple[Path | None, str]:
    """The one file that is to be written, if that is asked for; and its format, or that of the files of a folder."""
    if format is not None and format not in FORMATS:
        raise RequestError(f"--format: unknown format '{format}': choose from {', '.join(FORMATS)}")
    ending = "" if output is None or output.is_dir() else output.suffix.removeprefix(".").lower()
    if not ending.isalpha():
        return None, format or FORMATS[0]
    if ending not in FORMATS:
        raise RequestError(f"--output '{output}': unknown format '{ending}': choose from {', '.join(FORMATS)}")
    if format not in (None, ending):
        raise RequestError(f"--output '{output}' is no {format} file: leave out --format")
    if len(kinds) != 1:
        raise RequestError(f"--output '{output}' is one file: name one --kind, or a folder")
    return output, ending


def _size(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    match = _SIZE.fullmatch(text)
    width, height = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if not 1 <= min(width, height) <= max(width, height) <= LARGEST:
        raise RequestError(f"--size '{text}': write 8x5 for width and height in inches, from 1 to {LARGEST:g}")
    return width, height


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """What `column=value` says."""
    found = {}
    for text in texts:
        column, equals, value = (part.strip() for part in text.partition("="))
        if not equals or column not in COLUMNS:
            raise RequestError(f"--where '{text}': write column=value, with one of {', '.join(COLUMNS)}")
        if column in found:
            raise RequestError(f"--where '{text}': {column} is given twice")
        found[column] = value
    return found


def _names(renames: Sequence[str], source: Source) -> dict[str, str]:
    """What solvers are to be called: `label=name`, where labels may have equals signs themselves."""
    found = {}
    for text in renames:
        for sign in re.finditer("=", text):
            label = known_label(text[: sign.start()].strip())
            if label in source.labels:
                found[label] = _text("--rename", text[sign.end() :].strip()) or label
                break
        else:
            raise RequestError(f"--rename '{text}': write label=name, with one of {', '.join(source.labels)}")
    called: dict[str, str] = {}
    for label in source.labels:
        name = found.get(label, label)
        if (other := called.setdefault(name, label)) != label:
            raise RequestError(f"--rename: '{other}' and '{label}' would both be called '{name}'")
    return found


def _text(option: str, text: str) -> str:
    """A text that matplotlib can draw, where dollar signs enclose mathematics."""
    try:
        MathTextParser("path").parse(text)
    except ValueError as error:
        raise RequestError(f"{option} '{text}' cannot be set: {one_line(error)}") from error
    return text


def _hint(source: Source, choice: Choice, console: Console) -> None:
    """Say which images would be shown if all had been kept, and what keeps them beside those that are."""
    seeds = {(one.problem, one.solver): one.seed for one in source.pictures}
    shown = {(one.problem, one.solver, one.image) for one in source.pictures}
    missing: list[int] = []
    rows = source.rows[~source.rows["status"].isin(UNSOLVED)]
    for (*_, solver), of_solver in rows.groupby([*COLUMNS, "solver"], sort=False):
        problem = problem_of(of_solver.iloc[0])
        seed = seeds.get((problem, str(solver)), of_solver["seed"].iloc[0])
        ranked = of_solver[of_solver["seed"] == seed].sort_values("mse", ascending=bool(choice.best), kind="stable")
        first = map(int, ranked["image"].head(choice.worst or choice.best))
        missing += [image for image in first if (problem, solver, image) not in shown]
    if missing := list(dict.fromkeys(missing)):
        kept = set(map(int, read_pictures(source.folder)["image"]))  # a list of --keep takes the place of the last one
        named = sorted(kept | set(missing[:HINTED]))
        which = "worst" if choice.worst else "best"
        have, others = ("has", "another is") if len(missing) == 1 else ("have", "others are")
        console.print(
            f"{len(missing)} of the {which} images {have} no picture, and {others} shown instead: "
            f"--keep {','.join(map(str, named))}{',' * (len(named) == 1)} in the command of the run stores "
            f"{'them' if len(missing) <= HINTED else f'{HINTED} of them'}, too",
            style="dim",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
