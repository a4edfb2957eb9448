"""The page in a real browser: it asks for nothing, says no error, and its table can be sorted, chosen from and copied.

It needs chromium (`apt-get install chromium`, or a path in $CHROMIUM). The check of accessibility also needs axe-core:
`npm install --no-save axe-core` in the root of the checkout, or the path of its axe.min.js in $AXE. Where one is not
there, the tests are skipped and say so.
"""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from finished_runs import BOX, NONNEGATIVE, TRAINED, finished, solved

from bench.report.page.build import build
from bench.report.page.runs import read_runs

pytestmark = pytest.mark.slow

HOSTILE = '</script><script>alert(1)</script>|"`&%$\\x{}^~#'


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """A page of two runs on two problems, with a failure and a label that is not meant well."""
    folder = tmp_path_factory.mktemp("page")
    rng = np.random.default_rng(5)
    errors = rng.random(20)
    parts = [
        solved(solver, errors * scale, information, variant=variant)
        for variant in ("none", "shift_flip")
        for solver, scale, information in (
            ("er", 0.9, BOX),
            ("hio[nonneg=true]", 0.5, NONNEGATIVE),
            ("rrr[nonneg=true]", 0.01, NONNEGATIVE),
            ("unet_a", 0.2, TRAINED),
            (f"./{HOSTILE}.py", 0.3, BOX),
        )
    ]
    broken = solved("broken", np.ones(20), "", status="failed").assign(reason=f"ValueError: {HOSTILE}")
    ms = {"er": 5.0, "hio[nonneg=true]": 4.0, "rrr[nonneg=true]": 3.0, "unet_a": 1.5, f"./{HOSTILE}.py": 2.0}
    first = finished(folder / "first", *parts, broken, ms=ms, argv=["run", "--output", HOSTILE])
    second = finished(folder / "second", *parts[:2], ms=ms)
    path = folder / "report.html"
    path.write_text(build(read_runs([first, second]), f"Two runs {HOSTILE}"), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, file):
    """The page as it is opened, in a window as wide as asked for; what it says and asks for is noted."""
    contexts = []

    def open_page(*, width: int = 1280, scheme: str = "light", script: bool = True):
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, java_script_enabled=script
        )
        contexts.append(context)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.noted = []
        page.on("console", lambda message: page.noted.append(message.text))
        page.on("pageerror", lambda error: page.noted.append(str(error)))
        page.on("request", lambda request: page.noted.append(request.url))
        page.on("dialog", lambda dialog: (page.noted.append(dialog.message), dialog.dismiss()))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def column(page, title: str) -> list[str]:
    """The cells of a column in the lines that are shown, from above."""
    at = page.locator("#table thead th").all_text_contents().index(title)
    return page.locator(f"#table tbody tr:visible > :nth-child({at + 1})").all_text_contents()


def filters(page):
    return page.locator("[data-place=filters]")


def copied(page, name: str) -> str:
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_function("document.querySelector('output').textContent.startsWith('copied')")
    return page.evaluate("navigator.clipboard.readText()")


def test_it_asks_for_nothing_and_says_no_error(opened, file):
    page = opened()
    for button in page.locator("#table thead button:visible").all():
        button.click()
    assert [noted for noted in page.noted if noted != file.as_uri() and not noted.startswith("data:")] == []


def test_nothing_can_run_that_is_not_in_the_file(opened):
    page = opened()
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = true'}))")
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))")
    page.wait_for_timeout(50)
    assert page.evaluate("window.ran") is None
    assert sum("Content Security Policy" in noted for noted in page.noted) == 2


def test_a_column_is_sorted_upwards_downwards_and_as_it_was(opened):
    page = opened()
    before = column(page, "mean error")
    button = page.get_by_role("button", name="mean error")
    header = page.locator("#table th", has=button)
    numbers = sorted(float(text) for text in before)
    for sort, expected in (("ascending", numbers), ("descending", numbers[::-1])):
        button.focus()
        page.keyboard.press("Enter")
        assert header.get_attribute("aria-sort") == sort
        assert [float(text) for text in column(page, "mean error")] == expected
    page.keyboard.press("Space")
    assert header.get_attribute("aria-sort") == "none"
    assert column(page, "mean error") == before


def test_what_is_not_known_comes_last_whichever_way(opened):
    page = opened()
    for _ in range(2):
        page.get_by_role("button", name="wall time per image").click()
        assert column(page, "wall time per image")[-1] == "–"


def test_lines_are_chosen_by_solver_information_problem_and_run(opened):
    page = opened()
    everything = len(column(page, "solver"))
    assert page.locator("output").text_content() == f"{everything} of {everything} lines"
    filters(page).get_by_label("solver").fill("NONNEG hio")
    assert set(column(page, "solver")) == {"hio[nonneg=true]"}
    filters(page).get_by_label("solver").fill("")
    filters(page).get_by_label("uses").select_option(NONNEGATIVE)
    assert set(column(page, "solver")) == {"hio[nonneg=true]", "rrr[nonneg=true]"}
    filters(page).get_by_label("variant").select_option("shift_flip")
    filters(page).get_by_label("run", exact=True).select_option("first")
    assert column(page, "solver") == ["hio[nonneg=true]", "rrr[nonneg=true]"]
    assert page.locator("output").text_content() == f"2 of {everything} lines"


def test_columns_are_hidden_and_shown(opened):
    page = opened()
    assert page.locator("#table th:visible", has_text="residual").count() == 0
    page.locator("summary", has_text="Columns").click()
    menu = page.locator("[data-place=columns]")
    menu.get_by_label("median residual").check()
    menu.get_by_label("mean error").uncheck()
    page.keyboard.press("Escape")
    assert not menu.is_visible()
    titles = [th.text_content() for th in page.locator("#table th[scope=col]:visible").all()]
    assert "median residual" in titles
    assert "mean error" not in titles


def test_csv_has_the_numbers_with_all_their_digits(opened):
    page = opened()
    filters(page).get_by_label("uses").select_option(BOX)
    lines = list(csv.DictReader(io.StringIO(copied(page, "CSV"))))
    assert [line["solver"] for line in lines] == column(page, "solver")
    assert len(lines) == 5
    for line, shown in zip(lines, column(page, "mean error"), strict=True):
        assert float(line["mse_low"]) < float(line["mse"]) < float(line["mse_high"])
        assert f"{float(line['mse']):.4f}" == shown


def test_csv_brings_any_label_through(opened):
    page = opened()
    filters(page).get_by_label("solver").fill("script")
    labels = {line["solver"] for line in csv.DictReader(io.StringIO(copied(page, "CSV")))}
    assert labels == {f"./{HOSTILE}.py"}


def test_markdown_has_as_many_cells_in_every_line(opened):
    page = opened()
    header, rule, *lines = copied(page, "Markdown").splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in (header, rule, *lines)]
    assert len({len(line) for line in cells}) == 1
    assert all(re.fullmatch(r" -+:? ", cell) for cell in cells[1])
    assert len(lines) == len(column(page, "solver"))
    assert "`rrr[nonneg=true]`" in [line[0].strip() for line in cells]


def test_latex_is_a_table_whose_lines_fit_its_columns(opened):
    page = opened()
    text = copied(page, "LaTeX")
    sides = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1]
    body = text.partition("\\toprule\n")[2].partition("\\bottomrule")[0].replace("\\midrule\n", "").splitlines()
    assert len(body) == 1 + len(column(page, "solver"))
    for line in body:
        assert line.endswith(" \\\\")
        assert len(re.split(r"(?<!\\)&", line)) == len(sides)
        bare = re.sub(r"\\[a-zA-Z]+(\{\})?|\\.", "", line)
        assert not re.search(r"[%$#_^~]", bare), "what TeX would obey is escaped"
        assert bare.count("{") == bare.count("}")
    assert "\\texttt{rrr[nonneg=true]}" in text


def test_where_copying_is_refused_the_text_is_shown_to_be_copied_by_hand(opened):
    page = opened()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')) }")
    page.get_by_role("button", name="Markdown").click()
    area = page.get_by_label("Copy this text")
    area.wait_for(state="visible")
    assert "`rrr[nonneg=true]`" in area.input_value()
    assert area.evaluate("area => area.selectionEnd - area.selectionStart === area.value.length")


def test_without_a_script_it_is_a_table_with_everything_in_it(opened):
    page = opened(script=False)
    assert page.locator("#table th[scope=col]:visible").count() == page.locator("#table th[scope=col]").count() > 12
    assert not page.locator(".controls").is_visible()
    assert page.locator("#table button").count() == 0


def test_the_matrix_shows_one_thing_at_a_time_without_a_script(opened):
    page = opened(script=False)
    cells = {name: page.locator(f".matrix .{name}").first for name in ("difference", "interval", "wins", "p")}
    for name in ("p", "wins", "interval", "difference"):
        page.locator(f"#show-{name}").check()
        assert [other for other, cell in cells.items() if cell.is_visible()] == [name]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_not_wider_than_the_window(opened, width):
    assert opened(width=width).evaluate("document.documentElement.scrollWidth") == width


def test_dark_windows_have_a_dark_page_and_paper_a_light_one(opened):
    page = opened(scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert max(map(int, re.findall(r"\d+", page.evaluate(background))[:3])) < 64
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert not page.locator(".controls").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(opened, scheme, width):
    path = Path(os.environ.get("AXE", ROOT / "node_modules" / "axe-core" / "axe.min.js"))
    if not path.is_file():
        pytest.skip(f"no axe-core in $AXE or at {path}: accessibility is not checked")
    page = opened(scheme=scheme, width=width)
    page.evaluate(path.read_text(encoding="utf-8") + "; 0")
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    found = page.evaluate("axe.run()")["violations"]
    told = [(one["id"], one["impact"], one["nodes"][0]["html"][:200]) for one in found]
    assert told == []
