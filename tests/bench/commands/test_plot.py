"""`bench plot`: figures of a finished run, from what lies on disk and nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import matplotlib as mpl
import pytest
from doubles import Blank, Broken, NotFinite, register_solvers, tree
from PIL import Image

from bench.report.figures.draw import FORMATS, draw
from bench.report.figures.look import PLAIN, Look
from bench.report.figures.source import Source

RRR, ER = "rrr[iterations=20,nonneg=true]", "er[iterations=20]"
CANONICAL = "rrr[nonneg=true,iterations=20]"
DRAWN = ("gallery", "convergence", "photons", "pareto", "profile")  # what it has something for


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run with something for every kind of figure."""
    from bench.commands.run import run_sweep
    from bench.request import request

    folder = tmp_path_factory.mktemp("plotted") / "run"
    sweep = request(
        solvers=(RRR, ER),
        variants=("shift_flip",),
        photons=("none", 1e5),
        images=5,
        keep=3,
        dataset="sample",
        threads=1,
        executor="inline",
    )
    run_sweep(sweep, folder, latency=False)
    return folder


@pytest.mark.slow
def test_a_run_draws_what_plot_draws_of_it_from_its_tables_alone(bench, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    before = tree(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "figures")
    shutil.rmtree(tmp_path / "run" / "shards")
    done = bench("plot", tmp_path / "run")
    assert done.status == 0
    assert done.out.split() == [str(tmp_path / "run" / "figures" / f"{kind}.png") for kind in DRAWN]
    after = tree(tmp_path / "run")
    assert {name: content for name, (_, content) in before.items() if "shards" not in name} == {
        name: content for name, (_, content) in after.items()
    }


@pytest.mark.slow
def test_no_solver_is_asked(bench, run, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    run(solvers="blank", variants="none")
    Blank.asked.clear()
    assert bench("plot", tmp_path / "out", "--kind", "gallery,pareto,profile").status == 0
    assert Blank.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize(("ending", "begins"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_every_kind_comes_in_every_format(bench, finished, tmp_path, kind, ending, begins):
    path = tmp_path / "new" / f"figure.{ending}"
    done = bench("plot", finished, "--kind", kind, "--output", path)
    assert done.status == 0, done
    assert done.out == f"{path}\n"
    assert path.read_bytes().startswith(begins)


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_figure_is_the_same_bytes(finished, format):
    assert draw("gallery", Source(finished), format=format) == draw("gallery", Source(finished), format=format)


@pytest.mark.slow
def test_a_folder_takes_one_format_and_several_kinds(bench, finished, tmp_path):
    assert (
        bench("plot", finished, "--kind", "pareto,profile", "--format", "svg", "--output", tmp_path / "new").status == 0
    )
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["pareto.svg", "profile.svg"]


@pytest.mark.parametrize("kind", ["gallery", "pareto"])
def test_a_figure_has_its_size(bench, finished, tmp_path, kind):
    path = tmp_path / "figure.png"
    assert bench("plot", finished, "--kind", kind, "--size", "8x6.5", "--output", path).status == 0
    with Image.open(path) as image:
        assert image.size == (8 * 150, 6.5 * 150)


def test_the_worst_images_that_have_no_picture_are_named(bench, finished, tmp_path):
    options = ["--kind", "gallery", "--where", "photons=none", "--solvers", ER, "--output", tmp_path / "worst.png"]
    done = bench("plot", finished, "--worst", 5, *options)
    hint = (
        "2 of the worst images have no picture, and others are shown instead: "
        "--keep 0,1,2,3,4 in the command of the run stores them, too\n"
    )
    assert done.err == hint
    assert bench("plot", finished, "--images", "2,0", *options).err == ""


def test_a_solver_that_a_gallery_lacks_is_named_with_the_reason(bench, run, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank, Broken)
    run("kept", solvers="blank,broken", variants="none", images=2)
    run("unkept", solvers="er[iterations=1]", variants="none", images=2, keep=0)
    assert bench("merge", tmp_path / "kept", tmp_path / "unkept", "--output", tmp_path / "both").status == 0
    reasons = "er[iterations=1] (no picture was kept); broken (failed on every image that was kept)"
    done = bench("plot", tmp_path / "both", "--kind", "gallery", "--output", tmp_path / "gallery.png")
    assert done.err == f"not in the gallery: {reasons}\n"
    assert bench("plot", tmp_path / "both", "--kind", "gallery", "--solvers", "blank").err == ""
    assert bench("report", tmp_path / "both", "--output", tmp_path / "page.html").status == 0
    assert f"Not in the gallery: {reasons}." in (tmp_path / "page.html").read_text()


def test_obeyed_the_hint_of_the_worst_keeps_what_was_kept(bench, run, tmp_path):
    options = {"solvers": "er[iterations=1]", "variants": "none", "images": 4}
    run(keep="1,", **options)
    plot = ("plot", tmp_path / "out", "--kind", "gallery", "--output", tmp_path / "worst.png")
    named = re.search(
        r"^3 of the worst images have no picture, and others are shown instead: --keep (\S+) ",
        bench(*plot, "--worst", 4).err,
    )
    assert named
    assert run(keep=named[1], **options).status == 0
    assert bench(*plot, "--worst", 4).err == ""
    assert bench(*plot, "--images", "1").status == 0


def test_what_a_run_has_nothing_for_is_left_out_and_said(bench, run, tmp_path):
    run(solvers="er[iterations=1]", variants="none", keep="0")
    (tmp_path / "out" / "figures").mkdir()
    (tmp_path / "out" / "figures" / "photons.png").write_text("of another run")
    done = bench("plot", tmp_path / "out")
    assert done.status == 0
    assert sorted(path.name for path in (tmp_path / "out" / "figures").iterdir()) == ["pareto.png", "profile.png"]
    for kind in ("gallery", "convergence", "photons"):
        assert f"no {kind}: " in done.err


@pytest.mark.parametrize("solvers", ["broken", "broken,not_finite"])
def test_of_solvers_that_failed_the_failure_is_drawn(bench, run, tmp_path, monkeypatch, solvers):
    register_solvers(monkeypatch, Broken, NotFinite)
    done = run(solvers=solvers, variants="none", figures=True)
    assert done.status == 3
    assert "figures not drawn" not in done.err
    found = {path.stem for path in (tmp_path / "out" / "figures").iterdir()}
    assert found == {"profile"} if solvers == "broken" else {"gallery", "pareto", "profile"}


# ---- how it looks


def svg(kind: str, source: Source, look: Look = PLAIN) -> str:
    with mpl.rc_context({"svg.fonttype": "none"}):  # text stays text
        return draw(kind, source, look, format="svg").decode()


@pytest.mark.slow
def test_a_solver_has_the_name_that_it_is_given(finished):
    drawn = svg("pareto", Source(finished), Look(names={CANONICAL: "R<b>"}, title="costs & errors"))
    assert "R&lt;b&gt;" in drawn
    assert "costs &amp; errors" in drawn
    assert CANONICAL not in drawn
    assert ER in drawn


def test_two_solvers_may_change_names(bench, finished, tmp_path):
    path = tmp_path / "figure.svg"
    names = ["--rename", f"{RRR}={ER}", "--rename", f"{ER}={CANONICAL}"]
    assert bench("plot", finished, "--kind", "profile", *names, "--output", path).status == 0


def test_chosen_solvers_come_in_their_order_and_others_not_at_all(finished):
    legend = svg("profile", Source(finished, [ER, RRR]))
    assert legend.index(ER) < legend.index(CANONICAL)
    assert CANONICAL not in svg("profile", Source(finished, [ER]))


def test_chosen_problems_are_drawn_alone(finished):
    assert "1e5 photons" not in svg("profile", Source(finished, where={"photons": "none"}))
    assert "1e5 photons" in svg("profile", Source(finished, where={"variant": "shift_flip"}))


@pytest.mark.slow
def test_a_style_is_a_file_or_a_name(bench, finished, tmp_path):
    thick = tmp_path / "thick.mplstyle"
    thick.write_text("lines.linewidth: 7\n")
    for style, word in ((thick, "stroke-width: 7"), ("ggplot", "#e5e5e5")):
        path = tmp_path / "figure.svg"
        assert bench("plot", finished, "--kind", "profile", "--style", style, "--output", path).status == 0
        assert word in path.read_text().lower()
    assert "stroke-width: 7" not in svg("profile", Source(finished)), "a style is gone when its figure is drawn"


def test_a_label_with_dollar_signs_is_no_mathematics(finished):
    look = Look()
    assert look.name("mine[weights=$x$]").count(r"\$") == 2


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--kind", "picture"],
            ["--kind", "'picture'", "gallery, convergence, photons, beamstop, frame, grid, pareto, profile"],
        ),
        (["--kind", "pareto", "--output", "x.jpg"], ["'x.jpg'", "'jpg'", "png, svg, pdf"]),
        (["--output", "x.svg"], ["'x.svg'", "name one --kind"]),
        (["--kind", "pareto,profile", "--output", "x.svg"], ["name one --kind"]),
        (["--kind", "pareto", "--output", "x.svg", "--format", "pdf"], ["'x.svg'", "leave out --format"]),
        (["--format", "jpg"], ["--format", "'jpg'", "png, svg or pdf|png, svg, pdf"]),
        (["--size", "8"], ["--size '8'", "8x5"]),
        (["--size", "0x5"], ["--size '0x5'"]),
        (["--size", "1e9x5"], ["--size"]),
        (["--size", "500x5"], ["--size"]),
        (["--kind", "gallery", "--size", "1x1"], ["--size 1x1", "do not fit"]),
        (["--solvers", "er"], ["no solver 'er'", ER]),
        (["--solvers", "er["], ["er[", ER]),
        (["--where", "variant=none"], ["no variant 'none'", "shift_flip"]),
        (["--where", "photons=1e4"], ["no photons '1e4'", "none, 100000"]),
        (["--where", "colour=red"], ["--where", "colour=red", "variant"]),
        (["--where", "variant"], ["--where", "column=value"]),
        (["--where", "variant=none,variant=shift_flip"], ["variant is given twice"]),
        (["--kind", "profile", "--size", "1x1"], ["--size 1x1 is too small"]),
        (["--kind", "gallery", "--output", "/proc/x.png"], ["output '/proc/x.png' cannot be written"]),
        (["--output", "/proc/x"], ["output '/proc/x' cannot be written"]),
        (["--rename", "RRR"], ["--rename 'RRR'", "label=name"]),
        (["--rename", "er=ER"], ["--rename 'er=ER'", ER]),
        (["--rename", f"{RRR}={ER}"], ["--rename", f"'{CANONICAL}' and '{ER}'", f"both be called '{ER}'"]),
        (["--rename", f"{RRR}=R", "--rename", f"{ER}=R"], ["--rename", "both be called 'R'"]),
        (["--rename", f"{ER}=$\\frac$"], ["--rename", "cannot be set"]),
        (["--title", "$\\frac$"], ["--title", "cannot be set"]),
        (["--style", "pretty"], ["style 'pretty'", "ggplot"]),
        (["--style", "http://example.org/x.mplstyle"], ["style 'http://example.org"]),
        (["--images", "x"], ["--images 'x'"]),
        (["--images", "4", "--kind", "gallery"], ["no picture of image 4", "0, 1, 2"]),
        (["--worst", "2", "--best", "2"], ["--worst", "--best"]),
        (["--worst", "2", "--kind", "pareto"], ["--worst", "gallery", "pareto"]),
        (["--worst", "-1"], ["--worst"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_request_is_refused_in_one_line(bench, finished, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    before = tree(finished)
    output = [] if "--output" in options else ["--output", tmp_path / "new"]
    done = bench("plot", finished, *output, *options)
    assert done.status == 2, done
    assert done.out == ""
    assert done.err.startswith("bench: ")
    assert done.err.count("\n") == 1, done.err
    for word in words:
        assert re.search("|".join(map(re.escape, word.split("|"))), done.err), done.err
    assert tree(finished) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "words"), [("gallery", "--keep"), ("convergence", "--no-figures"), ("photons", "--photons")]
)
def test_a_kind_that_a_run_has_nothing_for_names_the_option_that_it_takes(bench, run, tmp_path, kind, words):
    run(solvers="er[iterations=1]", variants="none", keep="0")
    done = bench("plot", tmp_path / "out", "--kind", kind, "--output", tmp_path / "x.png")
    assert done.status == 2
    assert words in done.err
    assert not (tmp_path / "x.png").exists()


def test_there_is_nothing_to_draw_where_no_run_is(bench, tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        for options in ([], ["--kind", "gallery"], ["--rename", "er=ER"]):
            done = bench("plot", folder, "--output", tmp_path / "new", *options)
            assert done.status == 2
            assert f"'{folder}' holds no finished run" in done.err


def test_a_run_that_was_changed_is_not_drawn(bench, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    for name, kind in (
        ("pictures.parquet", "gallery"),
        ("curves.parquet", "convergence"),
        ("summary.csv", "photons"),
        ("timing.csv", "pareto"),
        ("per_image.parquet", "profile"),
    ):
        path = tmp_path / "run" / name
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        for options in ([], ["--kind", kind]) if name == "summary.csv" else (["--kind", kind],):
            done = bench("plot", tmp_path / "run", *options)
            assert done.status == 2
            assert name in done.err
            assert "damaged" in done.err
        path.write_bytes(content)
