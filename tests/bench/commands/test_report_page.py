"""`bench report`: one file that needs no other, shows text as text, and is there as a whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from finished_runs import BOX, NONNEGATIVE, finished, solved

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
EXTERNAL = ("src", "href", "xlink:href", "action", "data", "poster", "srcset")


class Page(HTMLParser):
    """The elements of a page, with their attributes and their text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.elements:
            self.texts.setdefault(self.elements[-1][0], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def folder(tmp_path, rng):
    errors = rng.random(12)
    return finished(
        tmp_path / "first",
        solved("er", errors, BOX),
        solved("rrr[nonneg=true]", errors / 50, NONNEGATIVE),
        solved(f"./{HOSTILE}.py", np.ones(12), "", status="failed").assign(reason=f"ValueError: {HOSTILE}"),
        ms={"er": 5.0, "rrr[nonneg=true]": 7.0, f"./{HOSTILE}.py": 1.0},
        argv=["run", "--output", HOSTILE],
        machine={"processor": HOSTILE},
    )


@pytest.fixture
def page(bench, folder, tmp_path):
    done = bench("report", folder, "--output", tmp_path / "report.html", "--title", f"A title {HOSTILE}")
    assert done.status == 0, done.err
    assert done.out.startswith(f"page: {tmp_path / 'report.html'} (")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_what_comes_from_a_run_is_text_and_nothing_else(page):
    found = Page(page)
    assert len(found.all("script")) == len(found.all("style")) == 1
    assert not any("onerror" in attributes for _, attributes in found.elements)
    shown = "".join(text for texts in found.texts.values() for text in texts)
    assert f"A title {HOSTILE}" in shown
    assert f"ValueError: {HOSTILE}" in shown


def test_nothing_is_asked_for_that_is_not_in_the_file(page):
    for _, attributes in Page(page).elements:
        for name in EXTERNAL:
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert not re.search(r"@import|url\((?!#)", page)


def test_only_the_script_and_the_style_of_the_page_are_allowed(page):
    (policy,) = [meta["content"] for meta in Page(page).all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not any("style" in attributes for _, attributes in Page(page).elements), "the policy would forbid it"


def test_every_id_is_given_once_and_every_reference_to_one_finds_it(page):
    elements = [attributes for _, attributes in Page(page).elements]
    ids = [attributes["id"] for attributes in elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    asked = {attributes[name] for attributes in elements for name in ("href", "xlink:href") if name in attributes}
    assert {one[1:] for one in asked if one.startswith("#")} <= set(ids)


@pytest.mark.slow
def test_the_same_runs_make_the_same_page(bench, folder, tmp_path):
    pages = []
    for name in ("one.html", "two.htm"):
        assert bench("report", folder, "--output", tmp_path / "pages" / name).status == 0
        pages.append((tmp_path / "pages" / name).read_bytes())
    assert pages[0] == pages[1]
    assert b"<h1>first</h1>" in pages[0]


def test_all_results_are_there_without_a_script(page):
    (table,) = re.findall(r'<table id="table".*?</table>', page, re.DOTALL)
    assert "hidden" not in table
    assert len(re.findall("<tr>", table)) == 1 + 3
    assert "rrr[<wbr>nonneg=true]" in table


def test_runs_on_one_page_are_told_apart(bench, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copies" / "first")
    done = bench("report", folder, tmp_path / "copies" / "first", "--output", tmp_path / "two.html")
    assert done.status == 0, done.err
    text = (tmp_path / "two.html").read_text(encoding="utf-8")
    (table,) = re.findall(r'<table id="table".*?</table>', text, re.DOTALL)
    assert table.count('<td class="text">copies/first</td>') == 3
    assert "copies/first: er" in text


def test_runs_on_other_measurements_are_ranked_in_columns_of_their_own(bench, folder, tmp_path):
    other = finished(tmp_path / "second", solved("er", [0.1, 0.2], BOX, seed=1, noise="other"))
    assert bench("report", folder, other, "--output", tmp_path / "two.html").status == 0
    text = (tmp_path / "two.html").read_text(encoding="utf-8")
    for title in ("none, 12 images of first, seed 0", "none, 2 images of second, seed 1"):
        assert f'<th scope="col">{title}</th>' in text
    assert "within one column: other columns have other measurements" in text
    assert "A shaded cell has the lowest error of its column." in text


@pytest.mark.slow
def test_what_a_run_has_not_got_has_no_section(bench, folder, tmp_path):
    def sections(*runs):
        assert bench("report", *runs, "--output", tmp_path / "page.html").status == 0
        return re.findall(r'<section id="(\w+)"', (tmp_path / "page.html").read_text(encoding="utf-8"))

    assert sections(folder) == ["answer", "results", "pairs", "endings", "provenance"]
    noisy = finished(
        tmp_path / "noisy", *(solved("er", [0.1, 0.2], noise=str(n)).assign(photons=n) for n in (1e4, np.inf))
    )
    assert sections(folder, noisy) == ["answer", "results", "noise", "pairs", "endings", "provenance"]


@pytest.mark.slow
def test_what_a_run_has_stored_is_drawn_on_its_page(bench, tmp_path):
    asked = ("--dataset", "sample", "--images", 2, "--solvers", "er[iterations=20]", "--variants", "flip", "--keep", 1)
    assert bench("run", *asked, "--output", tmp_path / "run").status == 0
    assert bench("report", tmp_path / "run", "--output", tmp_path / "page.html").status == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert {"gallery", "convergence"} <= set(re.findall(r'<section id="(\w+)"', page))
    assert "data:image/png;base64," in page
    assert "the adjusted error of that image; <code>bench plot RUN --kind gallery --worst 6</code>" in page
    assert "mathdefault" not in page, "mathematics is not for this page"
    assert "style=" not in page


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("page.txt", "a page is named *.html or *.htm"),
        ("folder.html", "cannot be written: it is a folder"),
        ("first/per_image.parquet/page.html", "cannot be written: "),
        ("first/per_image.parquet", "a page is named *.html or *.htm"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_in_one_line(bench, folder, tmp_path, output, reason):
    (tmp_path / "folder.html").mkdir()
    before = (folder / "per_image.parquet").read_bytes()
    done = bench("report", folder, "--output", tmp_path / output)
    assert done.status == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert reason in done.err
    assert (folder / "per_image.parquet").read_bytes() == before


def test_a_missing_run_is_said_before_a_missing_output(bench, folder, tmp_path):
    for arguments, reason in (
        ((tmp_path / "nowhere",), "'{}' holds no finished run".format(tmp_path / "nowhere")),
        ((folder, tmp_path / "nowhere"), "nowhere' holds no finished run"),
        ((tmp_path / "nowhere", "--output", "page.txt"), "nowhere' holds no finished run"),
        ((folder,), "--output is missing: it names the file for the page, *.html or *.htm"),
    ):
        done = bench("report", *arguments)
        assert done.status == 2
        assert done.err.count("\n") == 1
        assert reason in done.err


def test_a_page_says_on_which_clock_its_times_are_and_who_is_alone(page):
    shown = "".join(text for texts in Page(page).texts.values() for text in texts)
    assert "the only one that uses this" in shown
    assert "Times are those on the wall" in shown
    assert "bench export --within" in shown


def test_what_is_no_finished_run_is_refused_in_one_line_and_the_old_page_stays(bench, folder, tmp_path):
    output = tmp_path / "report.html"
    output.write_text("old")
    path = folder / "per_image.parquet"
    for damage, reason in (
        (lambda: path.write_bytes(path.read_bytes() + b" "), "its checksum is not that of manifest.json"),
        (path.unlink, "per_image.parquet' is gone"),
        (lambda: shutil.rmtree(folder), "holds no finished run"),
    ):
        damage()
        done = bench("report", folder, "--output", output)
        assert done.status == 2
        assert done.err.count("\n") == 1
        assert reason in done.err
        assert output.read_text() == "old"
