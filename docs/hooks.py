"""What MkDocs is told beyond mkdocs.yml.

Pages have the same places on the site as in the repository, so that one relative link is right in both. The page of
results gets the tables of `results/`, and the reports of the runs that `make tables` has left in `runs/`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pandas as pd
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from bench.errors import RequestError
from bench.report.export import TABLES, Markdown, cells, export
from bench.report.finished import checksum
from bench.report.page.build import build
from bench.report.page.runs import read_runs
from bench.report.page.words import short
from datasets.problem import COLUMNS
from solvers.files import sha256

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/*.md", "bench/README.md", "solvers/cuda/README.md", "CONTRIBUTING.md", "CHANGELOG.md")
FILES = (  # what pages link to or show
    "results/**/*.csv",
    "results/*.toml",
    "results/figures/*.png",
    "CITATION.cff",
    "references.bib",
    "LICENSE",
    "datasets/sample/LICENSE",
)
RESULTS = "docs/results.md"
# The table that `make tables` copies from a run, where it has another name than the run.
SUMMARIES = {"table1": "summary_networks.csv", "table2": "summary.csv"}
FOLDED = 40  # from so many lines on, a table is shown when it is asked for

log = logging.getLogger("mkdocs.hooks.phasebench")  # below "mkdocs", whose level is that of the command


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of the theme, those of the repository in their places, and the reports of runs."""
    theirs = [file for file in files if file.src_dir != config.docs_dir]
    paths = (path for pattern in (*PAGES, *FILES) for path in sorted(ROOT.glob(pattern)))
    ours = [
        File(path.relative_to(ROOT).as_posix(), str(ROOT), config.site_dir, use_directory_urls=False) for path in paths
    ]
    reports = [File.generated(config, path, content=page) for path, page in run_reports(ROOT)]
    return Files([*theirs, *ours, *reports])


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page of results with its tables; every other page as it is."""
    if page.file.src_uri != RESULTS:
        return markdown
    return with_tables(markdown, ROOT, {file.src_uri for file in files})


def run_reports(root: Path) -> Iterator[tuple[str, str]]:
    """Path and page of the report of each run whose table is the one in `results/`."""
    for request in sorted((root / "results").glob("*.toml")):
        folder = root / "runs" / request.stem
        if not folder.is_dir():
            continue
        try:
            runs, digest = read_runs([folder]), checksum(folder, "summary.csv")
        except RequestError as error:
            log.info("no report: %s", error)
            continue
        table = root / "results" / SUMMARIES.get(request.stem, f"{request.stem}.csv")
        if table.is_file() and sha256(table.read_bytes()) != digest:
            log.info("no report of runs/%s: its summary.csv is not results/%s", request.stem, table.name)
            continue
        log.info("report of runs/%s", request.stem)
        yield f"runs/{request.stem}/report.html", build(runs)


def with_tables(markdown: str, root: Path, files: set[str]) -> str:
    """The page of results with links to the reports, the tables that it names, and those that it does not.

    A paragraph that begins with a link to a table is followed by that table. A table to which nothing links gets a
    section of its own at the end, with what the file of its sweep says in its first lines, and its figure.
    """
    title, first, *paragraphs = re.split(r"\n{2,}", markdown.strip())
    parts = [title, first, *_reports(files)]
    for paragraph in paragraphs:
        parts.append(paragraph)
        if named := re.match(r"\[[^\]]*\]\(\.\./results/([\w./-]+\.csv)\)", paragraph):
            parts += _shown(root, named[1])
    for path in sorted((root / "results").rglob("*.csv")):
        name = path.relative_to(root / "results").as_posix()
        if f"(../results/{name})" in markdown:
            continue
        words = name.removesuffix(".csv").replace("_", " ")
        parts += [f"## {words[0].upper()}{words[1:]}", *_described(path.with_suffix(".toml"))]
        if f"results/figures/{path.stem}.png" in files:
            parts.append(f"![{words}](../results/figures/{path.stem}.png)")
        parts += [f"[`{name}`](../results/{name}) has every digit.", *_shown(root, name)]
    return "\n\n".join(parts) + "\n"


def _reports(files: set[str]) -> list[str]:
    """Links to the reports on this site."""
    links = [f"[{path.split('/')[1]}](../{path})" for path in sorted(files) if path.startswith("runs/")]
    said = "Reports of these runs, with figures, pairs of solvers, and where the numbers come from"
    return [f"{said}: {', '.join(links)}."] if links else []


def _described(request: Path) -> list[str]:
    """The comment with which the file of a sweep begins."""
    if not request.is_file():
        return []
    lines = takewhile(lambda line: line.startswith("#"), request.read_text(encoding="utf-8").splitlines())
    return [" ".join(line.removeprefix("#").strip() for line in lines)]


def _shown(root: Path, name: str) -> list[str]:
    """A table: all of its lines, or mean errors over the one setting that varies, and the lines folded away."""
    table = pd.read_csv(root / "results" / name, keep_default_na=False, na_values=[""], comment="#")
    varying = [column for column in COLUMNS if column in table and table[column].nunique() > 1]
    lines = _lines(table, varying)
    if "success_low" in table and len(varying) == 1:
        return [_over(table, varying[0]), _folded(lines, len(table))]
    return [lines if len(table) < FOLDED else _folded(lines, len(table))]


def _over(table: pd.DataFrame, setting: str) -> str:
    """Mean errors with their intervals: a line for each solver, a column for each value of the setting that varies."""
    errors = table.assign(cell=cells(table, "mse", Markdown))
    errors = errors.pivot(index="solver", columns=setting, values="cell").fillna("")
    errors = errors.loc[table["solver"].unique(), table[setting].unique()]
    values = [Markdown.text(value) if isinstance(value, str) else short(value) for value in errors.columns]
    lines = [[Markdown.label(solver), *line] for solver, line in zip(errors.index, errors.to_numpy(), strict=True)]
    text = Markdown.table(["solver", *values], [False, *(True for _ in values)], lines)
    return f"Mean `mse` over {setting}:\n\n{_stacked(text)}"


def _lines(table: pd.DataFrame, varying: list[str]) -> str:
    """All lines of a table, below what is the same in all of them.

    Columns are those that people look at: of a summary or of times as `bench export` chooses, of another table all.
    """
    kind = "summary" if "success_low" in table else "timing" if "solve_ms_per_image_low" in table else None
    chosen = ("solver", *varying, *(TABLES[kind] or ()), "paper_mse") if kind else table.columns
    columns = [column for column in chosen if column in table and table[column].notna().any()]
    same = [column for column in columns[1:] if table[column].nunique(dropna=False) == 1]
    said = ", ".join(f"{column.replace('_', ' ')} {table[column].iloc[0]}" for column in same)
    text = _stacked(export(table, "", "markdown", [column for column in columns if column not in same]))
    return f"In all lines: {said}.\n\n{text}" if same else text


def _stacked(table: str) -> str:
    """A Markdown table with intervals below their means, which is half as wide."""
    return table.strip().replace(" [", "<br>[")


def _folded(text: str, count: int) -> str:
    return f'<details markdown="1">\n<summary>All {count} lines</summary>\n\n{text}\n\n</details>'
