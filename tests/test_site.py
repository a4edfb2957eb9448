"""The site of guides and results: it builds without a warning, is whole, and loads nothing from elsewhere."""

from __future__ import annotations

import logging
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urldefrag, urlsplit

import numpy as np
import pytest
from conftest import ROOT
from finished_runs import finished, solved

pytest.importorskip("mkdocs", reason="mkdocs is not installed: the site is not built")

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort


def configured(folder: Path) -> tuple[MkDocsConfig, ModuleType]:
    """The site as `mkdocs build --strict` reads it, and the module of its hooks."""
    config = load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(folder))
    (module,) = config.hooks.values()
    return config, module


def build_site(folder: Path, **replaced) -> None:
    """Build the site without the runs that happen to lie in this checkout, and with other functions as hooks."""
    config, module = configured(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, function in {"run_reports": lambda root: iter(()), **replaced}.items():
            patch.setattr(module, name, function)
        build(config)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


@pytest.fixture(scope="module")
def hooks(tmp_path_factory) -> ModuleType:
    return configured(tmp_path_factory.mktemp("unused"))[1]


class Found(HTMLParser):
    """What a page loads, where its links lead, and the places on it that a link can name."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        of = dict(attrs)
        self.places |= {of[name] for name in ("id", "name") if of.get(name)}
        self.loads += [of["src"]] if "src" in of else [of["href"]] if tag == "link" else []
        self.links += [of["href"]] if tag == "a" and "href" in of else []


def pages(site: Path) -> dict[Path, Found]:
    # 404.html is shown at any address, so that its links begin at the root of the server.
    return {page: Found(page) for page in site.rglob("*.html") if page.name != "404.html"}


def test_nothing_is_loaded_from_another_host(site):
    loaded = {address for found in pages(site).values() for address in found.loads}
    for style in site.rglob("*.css"):
        loaded |= set(re.findall(r"url\(\s*[\"']?([^\"')]+)", style.read_text(encoding="utf-8")))
        assert "@import" not in style.read_text(encoding="utf-8")
    assert len(loaded) > 5
    assert not {address for address in loaded if urlsplit(address).netloc}


def test_every_picture_and_every_link_leads_to_what_is_there(site):
    found = pages(site)
    for page, on_it in found.items():
        for address in on_it.loads + on_it.links:
            path, place = urldefrag(address)
            if urlsplit(address).scheme:
                continue
            target = (page.parent / unquote(path)).resolve() if path else page
            assert target.is_file(), f"{page.relative_to(site)}: {address}"
            if place:
                assert unquote(place) in found[target].places, f"{page.relative_to(site)}: {address}"


def test_every_guide_and_every_table_of_the_results_is_there(site):
    for path in (*ROOT.glob("docs/*.md"), *ROOT.glob("results/**/*.csv")):
        place = path.relative_to(ROOT)
        assert (site / (place.with_suffix(".html") if path.suffix == ".md" else place)).is_file()
    results = Found(site / "docs" / "results.html").links
    assert {f"../results/{path.relative_to(ROOT / 'results')}" for path in ROOT.glob("results/**/*.csv")} <= {*results}


def test_every_broken_link_is_a_warning_that_ends_the_build(tmp_path):
    broken = "[nowhere](nowhere.md), [no place](use.md#nowhere), ![nothing](../results/nothing.png)\n"
    with pytest.raises(Abort, match="3 warnings"):
        build_site(tmp_path, with_tables=lambda markdown, root, files: f"{markdown}\n\n{broken}")


@pytest.mark.slow
def test_a_page_read_from_the_disk_asks_for_nothing_and_reports_no_error(site, browser):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    troubles = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("file:") else troubles.append(request.url))
    for name in ("index.html", "docs/results.html", "bench/index.html"):
        page.goto((site / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than a phone"
    page.close()
    assert not troubles


# ---- tables and reports


def results(root: Path) -> Path:
    """The folder of a run over two numbers of photons, whose table lies in `results/`."""
    parts = [
        solved(solver, np.array([0.1, 0.2]) * scale, noise=f"{photons}", photons=photons)
        for photons in (1e4, 1e3)
        for solver, scale in (("er", 2), ("hio", 1))
    ]
    folder = finished(root / "runs" / "noise", *parts)
    (root / "results").mkdir()
    (root / "results" / "noise.toml").write_text("# Error over\n# photons.\nimages = 2\n")
    (root / "results" / "noise.csv").write_bytes((folder / "summary.csv").read_bytes())
    return folder


def test_a_run_that_made_a_table_of_the_results_has_its_report_on_the_site(hooks, tmp_path, caplog):
    folder = results(tmp_path)
    caplog.set_level(logging.INFO, "mkdocs")
    ((path, page),) = hooks.run_reports(tmp_path)
    assert path == "runs/noise/report.html"
    assert "<title>" in page
    (tmp_path / "results" / "noise.csv").write_text("another table\n")
    assert not list(hooks.run_reports(tmp_path))
    (folder / "manifest.json").unlink()
    assert not list(hooks.run_reports(tmp_path))
    said, differs, unfinished = (record.getMessage() for record in caplog.records)
    assert said == "report of runs/noise"
    assert differs == "no report of runs/noise: its summary.csv is not results/noise.csv"
    assert "holds no finished run" in unfinished


def test_a_table_to_which_nothing_links_gets_a_section_of_its_own(hooks, tmp_path):
    results(tmp_path)
    page = hooks.with_tables("# Results\n\nWords.\n", tmp_path, {"results/figures/noise.png"})
    section = ["## Noise", "Error over photons.", "![noise](../results/figures/noise.png)"]
    assert page.split("\n\n")[2:5] == section
    assert "\n| `er` | 0.30<br>[" in page


def test_a_table_follows_the_paragraph_that_begins_with_it(hooks, tmp_path):
    results(tmp_path)
    words = ["# Results", "Words.", "[Here](../results/noise.csv) are errors.", "See also [it](../results/noise.csv)."]
    page = hooks.with_tables("\n\n".join(words), tmp_path, set())
    assert page.startswith("\n\n".join(words[:3]))
    assert page.strip().endswith(words[3])
    assert page.count("\n| solver | 1e4 | 1e3 |\n") == 1


def test_reports_are_linked_where_there_are_any(hooks, tmp_path):
    results(tmp_path)
    files = {"runs/noise/report.html", "runs/table2/report.html"}
    assert "[noise](../runs/noise/report.html), [table2](../runs/table2/report.html)" in hooks.with_tables(
        "# Results\n\nWords.", tmp_path, files
    )
    assert "eport" not in hooks.with_tables("# Results\n\nWords.", tmp_path, set())
