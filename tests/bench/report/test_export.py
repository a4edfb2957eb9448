"""`bench export`: what a table says survives every format, whatever a label or a reason holds."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from doubles import Broken, register_solvers, result_rows, write_run
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bench.errors import one_line
from bench.report.export import FORMATS, Latex, Markdown, export
from bench.report.tables import summarise, table2

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)
NASTY = "a|b `c` *d* _e_ <script>&amp; [x](y) \\ # ~f~ $g$ %h {i} ^j \"k\" 'l'"


def cells_of_markdown(text: str) -> list[list[str]]:
    """The text of every cell, as a parser of Markdown understands it."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    cells = ["".join(part.content for part in token.children) for token in tokens if token.type == "inline"]
    columns = sum(token.type == "th_open" for token in tokens)
    return [cells[i : i + columns] for i in range(0, len(cells), columns)]


def read_latex(text: str) -> str:
    """The characters that a text in LaTeX stands for; an error where one of them would have a meaning instead."""
    words = {
        "textbackslash": "\\",
        "textasciicircum": "^",
        "textasciitilde": "~",
        "textless": "<",
        "textgreater": ">",
        "textbar": "|",
        "textasciigrave": "`",
        "dots": "…",
        "textendash": "–",
    }
    maths = {"-": "−", "\\times": "×", "\\infty": "∞"}
    found, at = "", 0
    for match in re.finditer(
        r"\{\\char34\}|\\(?P<word>[a-z]+)\{\}|\\(?P<escaped>[{}$&#%_])|\$(?P<maths>[^$]+)\$|(?P<hyphen>-(?:\{\}(?=-)|(?!-)))|(?P<plain>[^\\{}$&#%_^~-])",
        text,
    ):
        assert match.start() == at, f"'{text[at : match.start()]}' is not escaped in '{text}'"
        at = match.end()
        if match["word"]:
            found += words[match["word"]]
        elif match["maths"]:
            found += maths[match["maths"]]
        else:
            found += match["escaped"] or match["plain"] or ("-" if match["hyphen"] else '"')
    assert at == len(text)
    return found


@given(TEXTS.filter(str.strip), TEXTS)
@example(NASTY, NASTY)
@example("rrr[nonneg=true]", "`")
def test_markdown_shows_labels_and_texts_as_they_are(label, text):
    cells = cells_of_markdown(Markdown.table(["a", "b"], [False, True], [[Markdown.label(label), Markdown.text(text)]]))
    shown = [" ".join(cell.split()) for cell in cells[-1]]
    assert shown == [one_line(label).strip(), one_line(text).strip()]


@given(TEXTS)
@example(NASTY)
@example("a\nb -- c --- d – e")
def test_latex_shows_a_text_as_it_is(text):
    assert read_latex(Latex.text(text)) == one_line(text)


def test_a_line_of_latex_does_not_begin_with_what_ends_the_line_before():
    text = Latex.table(["a"], [False], [[Latex.text("[2cm]")], [Latex.text("*")]])
    assert not re.search(r"\\\\\s*[\[*]", text)


@pytest.fixture
def run(tmp_path):
    rng = np.random.default_rng(1)
    rows = pd.concat(
        [
            result_rows("er", rng.random(50)),
            result_rows("rrr[nonneg=true]", 1e-3 * rng.random(50)),
            result_rows("er", rng.random(50), variant="flip"),
        ],
        ignore_index=True,
    )
    return write_run(tmp_path / "run", rows)


def test_csv_has_the_numbers_of_the_rows(bench, run):
    done = bench("export", run, "--table", "per_image", "--columns", "solver,variant,image,mse")
    assert (done.status, done.err) == (0, "")
    table = pd.read_csv(io.StringIO(done.out))
    rows = pd.read_parquet(run / "per_image.parquet")[["solver", "variant", "image", "mse"]]
    pd.testing.assert_frame_equal(table, rows, rtol=1e-5, check_dtype=False)


@pytest.fixture
def summary(run):
    rows = pd.read_parquet(run / "per_image.parquet")
    return summarise(rows.assign(pixel_mse=0.0, residual=rows["mse"], iterations=10, starts=1))


def test_a_mean_stands_with_its_interval_rounded_to_what_it_tells(summary):
    first = summary.iloc[0]
    (head, _, er, *_) = [line.split(" | ") for line in export(summary, "summary", "markdown").splitlines()]
    shown = er[head.index("mse")]
    assert [float(number) for number in re.findall(r"[\d.]+", shown)] == pytest.approx(
        [first["mse"], first["mse_low"], first["mse_high"]], abs=0.0005
    )
    assert re.fullmatch(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", shown)
    assert re.fullmatch(r"\d+\.\d% \[\d+\.\d, \d+\.\d\]", er[head.index("below 0.01")])


def test_the_bounds_of_an_interval_stand_in_its_cell_and_nowhere_else(summary):
    table = table2(summary.assign(variant="shift_flip").head(1))
    head, _, line = export(table, "table2", "markdown").splitlines()
    assert head == "| solver | mse | images | paper | below 0.01 | uses |"
    assert re.search(r"\| 0\.\d+ \[0\.\d+, 0\.\d+\] \| 50 \|", line)
    assert "mse_low" in export(table, "table2", "csv")


def test_the_share_near_the_limit_has_its_interval():
    table = pd.DataFrame({"near_limit_rate": [0.5], "near_limit_low": [0.25], "near_limit_high": [0.75]})
    assert export(table, "summary", "markdown", ["near_limit_rate"]).splitlines()[-1] == "| 50% [25, 75] |"


def test_only_settings_that_vary_are_shown_but_the_variant(summary):
    assert export(summary, "summary", "markdown").startswith("| solver | variant | uses |")
    noisy = pd.concat([summary, summary.assign(photons=1e4)])
    assert export(noisy, "summary", "markdown").startswith("| solver | variant | photons | uses |")
    assert " ∞ " in export(noisy, "summary", "markdown")
    assert r" $\infty$ " in export(noisy, "summary", "latex")


@pytest.mark.parametrize(
    ("value", "markdown", "latex"),
    [
        (0.0, "0", "0"),
        (0.29216, "0.292", "0.292"),
        (0.0018, "0.00180", "0.00180"),
        (2.1e-5, "2.1e-5", r"$2.1\times10^{-5}$"),
        (-2e-9, "-2e-9", r"$-2\times10^{-9}$"),
        (1234.5, "1234", "1234"),
        (77.0, "77", "77"),
        (3e12, "3e12", r"$3\times10^{12}$"),
        (np.nan, "", ""),
    ],
)
def test_numbers_have_three_digits(value, markdown, latex):
    table = pd.DataFrame({"solver": ["er"], "residual": [value]})
    assert export(table, "summary", "markdown", ["residual"]).splitlines()[-1].strip("| ") == markdown
    assert export(table, "summary", "latex", ["residual"]).splitlines()[5].removesuffix(r"\\").strip() == latex


def test_latex_is_a_table_of_booktabs(summary):
    lines = export(summary, "summary", "latex").splitlines()
    assert "booktabs" in lines[0]
    assert lines[1] == r"\begin{tabular}{lllrrrrr}"
    assert (lines[2], lines[4], *lines[-2:]) == (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}")
    assert all(line.count(" & ") == 7 and line.endswith(r" \\") for line in [lines[3], *lines[5:-2]])
    assert r"\texttt{rrr[nonneg=true]}" in lines[6]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("table", ["summary", "per_image", "table1", "table2", "timing"])
def test_every_table_of_a_run_has_every_format(bench, finished, table, form):
    done = bench("export", finished, "--table", table, "--format", form)
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith("\n")
    assert "er[iterations=1]" in done.out.replace("\\", "")


def test_a_column_that_is_a_solver_is_named_with_its_commas(bench, finished):
    label = pd.read_csv(finished / "table1.csv").columns[-1]
    assert "," in label
    done = bench("export", finished, "--table", "table1", "--columns", f"variant,{label}")
    assert (done.status, done.out.splitlines()[0]) == (0, f'variant,"{label}"'), done.err


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    from bench.commands.run import run_sweep
    from bench.request import request

    folder = tmp_path_factory.mktemp("finished")
    sweep = request(
        solvers=("er[iterations=1]", "hio[iterations=1,beta=0.8]"),
        variants=("none", "shift_flip"),
        images=2,
        dataset="sample",
        threads=1,
        executor="inline",
    )
    run_sweep(sweep, folder, figures=False, latency=False)
    return folder


def test_what_a_solver_says_when_it_fails_is_escaped(bench, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Broken)
    given = ("--solvers", "broken", "--variants", "none", "--images", 1, "--dataset", "sample", "--no-figures")
    bench("run", *given, "--output", tmp_path)
    asked = ("export", tmp_path, "--table", "per_image", "--columns", "reason")
    assert r"\[/dial\] was at \[bold\]eleven" in bench(*asked, "--format", "markdown").out
    assert "[/dial] was at [bold]eleven" in bench(*asked, "--format", "latex").out


def test_a_file_is_written_instead_of_standard_output(bench, finished, tmp_path):
    done = bench("export", finished, "--format", "latex", "--output", tmp_path / "new" / "table.tex")
    assert (done.status, done.out) == (0, "")
    assert (tmp_path / "new" / "table.tex").read_text() == bench("export", finished, "--format", "latex").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "html"], ["'html'", "csv, markdown, latex"]),
        (["--table", "rows"], ["'rows'", "per_image"]),
        (["--columns", "mse,psnr"], ["no column 'psnr'", "mse_low"]),
        (["--columns", ""], ["--columns", "name at least one"]),
        (["--columns", "solver,mse,mse"], ["--columns: 'mse' is named twice"]),
        (["--output", "{run}"], ["{run}"]),
    ],
)
def test_what_there_is_not_is_named(bench, finished, arguments, words):
    done = bench("export", finished, *(word.format(run=finished) for word in arguments))
    assert done.status == 2
    assert done.err.count("\n") == 1
    for word in words:
        assert word.format(run=finished) in done.err


def test_an_edited_table_is_refused(bench, finished):
    path = finished / "summary.csv"
    good = path.read_text()
    path.write_text(good.replace("0.", "1.", 1))
    done = bench("export", finished)
    path.write_text(good)
    assert done.status == 2
    assert "checksum" in done.err
