"""Sweeps over measured patterns: everything goes by the residual, since nobody knows the objects."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.fft
from doubles import Broken, register_solvers

from bench.report.pictures import kept_pictures
from datasets.problem import Problem
from datasets.variants import place, placements

LABELS = ["rrr[nonneg=true,iterations=30]", "er[iterations=20]"]
FRAME, GRID = (12, 10), (24, 24)


@pytest.fixture
def truth(tiles) -> np.ndarray:
    """Three real, nonnegative objects (3, 12, 10)."""
    return np.ascontiguousarray(tiles[:3, 8:20, 9:19])


@pytest.fixture
def scan(truth, tmp_path):
    """Their patterns in a file as a detector gives them: the zero frequency in the middle, NaN under a beamstop."""
    problem = Problem(dataset="images", variant="none", frame=FRAME, grid=GRID, mask="beamstop[width=3]")
    where = placements("none", seed=0, split="test", indices=np.arange(3))
    measured = problem.measure(place(truth, where, FRAME), np.arange(3), seed=0)
    np.save(tmp_path / "scan.npy", scipy.fft.fftshift(measured.intensities, axes=(1, 2)))
    return f"patterns[path={tmp_path / 'scan.npy'},object=12x10,real=true]"


@pytest.fixture
def swept(bench, scan, tmp_path):
    """`bench run` over the patterns."""

    def call(folder: str = "out", **options: object):
        given = {"dataset": scan, "solvers": ",".join(LABELS), "images": 3, "seed": "0,1", "threads": 1, **options}
        figures = "--figures" if given.pop("figures", False) else "--no-figures"
        arguments = [part for key, value in given.items() for part in (f"--{key}", value)]
        return bench("run", figures, *arguments, "--output", tmp_path / folder)

    return call


def test_residuals_are_those_of_the_same_sweep_over_the_true_objects_bit_by_bit(swept, rows, truth, tmp_path):
    assert swept().status == 0
    np.save(tmp_path / "truth.npy", truth)
    images = f"images[path={tmp_path / 'truth.npy'}]"
    assert swept("known", dataset=images, variants="none", grid="24", beamstop=3).status == 0
    for column in ("residual", "measurement", "iterations", "status", "information"):
        pd.testing.assert_series_equal(rows()[column], rows("known")[column])
    assert rows()[["mse", "pixel_mse"]].isna().all(axis=None)
    assert rows("known")["mse"].notna().all()


def test_errors_are_empty_in_the_tables_and_a_dash_on_the_terminal(swept, tmp_path):
    done = swept()
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert summary[["mse", "mse_low", "median", "pixel_mse", "success_rate", "success_low"]].isna().all(axis=None)
    assert summary["residual"].between(0, 1).all()
    assert (summary[["variant", "object", "mask"]] == ["none", "real", "given"]).all(axis=None)
    assert f"– {summary['residual'].iloc[0]:.4f}" in done.err
    assert "nobody knows the objects" in done.err
    assert "nan" not in done.err
    table = pd.read_csv(tmp_path / "out" / "table1.csv")
    assert list(table.columns) == ["variant", *LABELS]


@pytest.mark.parametrize("kind", ["patterns", "images"])
def test_without_a_number_all_are_taken_where_there_are_few(bench, scan, truth, rows, tmp_path, kind):
    np.save(tmp_path / "truth.npy", truth)
    dataset = scan if kind == "patterns" else f"images[path={tmp_path / 'truth.npy'}]"
    asked = ["--dataset", dataset, "--solvers", "er[iterations=1]", "--variants", "none", "--threads", 1]
    into = ["--no-figures", "--output", tmp_path / "out"]
    assert bench("run", *asked, *into).status == 0
    assert rows()["image"].tolist() == [0, 1, 2]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["sweep"]["images"] == 3
    assert "nothing is solved again" in bench("run", *asked, *into).err
    refused = bench("run", *asked, *into, "--images", 256)
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "--images 256: there are 3" in refused.err
    assert (
        "--keep: there is no image 3 in this sweep: choose from 0 to 2"
        in bench("run", *asked, *into, "--keep", "1,3").err
    )
    assert bench("baseline", *asked, "--output", tmp_path / "baseline.csv").status == 0
    assert bench("check", "--baseline", tmp_path / "baseline.csv").status == 0


def test_solvers_are_compared_by_residual(swept, rows, bench, tmp_path):
    swept()
    done = bench("compare", tmp_path / "out", "--csv", tmp_path / "pairs.csv")
    assert done.status == 0
    assert "residuals in place of errors" in done.out
    line = pd.read_csv(tmp_path / "pairs.csv").iloc[0]
    means = rows().groupby("solver")["residual"].mean()
    assert line["residual_a"] == pytest.approx(means[LABELS[0]], rel=1e-4)
    assert line["difference"] == pytest.approx(means[LABELS[0]] - means[LABELS[1]], rel=1e-3)
    assert "mse_a" not in line


@pytest.mark.slow
def test_the_gate_watches_the_residual(swept, bench, tmp_path):
    swept()
    baseline = tmp_path / "baseline.csv"
    assert bench("baseline", "--current", tmp_path / "out", "--output", baseline).status == 0
    unchanged = bench("check", "--baseline", baseline)
    assert unchanged.status == 0
    assert unchanged.out.count("residual") == len(LABELS)
    assert "mse" not in unchanged.out
    assert "success_rate" not in unchanged.out


def test_a_residual_that_has_become_larger_is_a_regression():
    from doubles import result_rows

    from bench.gate.verdicts import Verdict, judge

    before = result_rows("er", np.full(40, np.nan)).assign(residual=np.linspace(0.1, 0.2, 40))
    after = before.assign(residual=before["residual"] * 1.5)
    verdicts = {finding.metric: finding.verdict for finding in judge(before, after)}
    assert verdicts == {"residual": Verdict.REGRESSION, "transforms": Verdict.PASS}


def test_a_failure_counts_as_an_empty_image(swept, bench, monkeypatch, tmp_path):
    register_solvers(monkeypatch, Broken)
    assert swept(solvers=f"{LABELS[1]},broken").status == 3
    summary = pd.read_csv(tmp_path / "out" / "summary.csv").set_index("solver")
    assert summary.loc["broken", "residual"] == 1
    assert np.isnan(summary.loc["broken", "mse"])
    assert "count with the residual 1" in bench("compare", tmp_path / "out").out


def test_what_needs_an_error_is_not_drawn_and_says_so_in_one_line(swept, bench, tmp_path):
    assert swept(figures=True).status == 0
    drawn = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    assert drawn == {"gallery.png", "convergence.png"}
    for kind in ("pareto", "profile", "photons"):
        done = bench("plot", tmp_path / "out", "--kind", kind)
        assert done.status == 2
        assert done.err.count("\n") == 1
        assert "has no errors: nobody knows the objects" in done.err
    worst = bench("plot", tmp_path / "out", "--kind", "gallery", "--worst", 1)
    assert (worst.status, worst.err.count("\n")) == (2, 1)


def test_pictures_are_the_box_of_the_object_without_a_truth(swept, tmp_path):
    swept(keep=2)
    pictures = list(kept_pictures(tmp_path / "out"))
    assert len(pictures) == 2 * 2 * 2, "solvers × seeds × images"
    assert all(picture.truth is None and np.isnan(picture.error) for picture in pictures)
    assert {picture.reconstruction.shape for picture in pictures} == {FRAME}


def test_the_seeds_of_a_solver_agree_or_do_not(swept, bench, tmp_path):
    done = swept(solvers="rrr[nonneg=true,iterations=500],er[iterations=5]", seed="0,1,2")
    summary = pd.read_csv(tmp_path / "out" / "summary.csv").set_index("solver")["agreement"]
    assert summary["rrr[nonneg=true,iterations=500]"] > 0.6
    assert summary["er[iterations=5]"] < 0.4
    assert "share of seeds that agree with the best" in done.err
    assert "seeds that agree" in bench("export", tmp_path / "out", "--format", "markdown").out


def test_seeds_that_agree_have_a_resolution_in_the_table_and_on_the_page(swept, bench, tmp_path):
    solvers = "rrr[nonneg=true,iterations=500],er[iterations=1]"
    assert swept(solvers=solvers, seed=",".join(map(str, range(12)))).status == 0
    summary = pd.read_csv(tmp_path / "out" / "summary.csv").set_index("solver")["half_period_pixels"]
    assert summary["rrr[nonneg=true,iterations=500]"] == pytest.approx(1, rel=0.05), (
        "the phases are the same throughout"
    )
    assert np.isnan(summary["er[iterations=1]"])
    assert bench("report", tmp_path / "out", "--output", tmp_path / "page.html").status == 0
    page = (tmp_path / "page.html").read_text()
    assert "half period in pixels" in page
    assert "nan" not in page.replace("provenance", "")


@pytest.mark.parametrize("options", [{"seed": 0}, {"keep": 0}])
def test_one_seed_and_no_pictures_tell_nothing_of_agreement(swept, tmp_path, options):
    swept(**options)
    assert "agreement" not in pd.read_csv(tmp_path / "out" / "summary.csv")


@pytest.mark.slow
def test_runs_of_several_seeds_are_merged(swept, bench, tmp_path):
    swept("both")
    for seed in (0, 1):
        swept(f"seed{seed}", seed=seed)
    assert bench("merge", tmp_path / "seed0", tmp_path / "seed1", "--output", tmp_path / "merged").status == 0
    merged, both = (pd.read_csv(tmp_path / name / "summary.csv") for name in ("merged", "both"))
    pd.testing.assert_frame_equal(merged, both)


@pytest.mark.slow
def test_other_commands_read_such_a_run(swept, bench, tmp_path):
    swept()
    assert bench("status", "--output", tmp_path / "out").status == 0
    shown = bench("export", tmp_path / "out", "--format", "markdown")
    assert "residual" in shown.out
    assert "mse" not in shown.out
    assert bench("report", tmp_path / "out", "--output", tmp_path / "page.html").status == 0
    page = (tmp_path / "page.html").read_text()
    assert "the objects of 3 measured patterns" in page
    assert "has no noise" not in page
    assert ">nan" not in page


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variants": "flip"}, "--variants: the patterns of "),
        ({"photons": "1e6"}, "--photons: the patterns of "),
        ({"objects": "complex"}, "real=true in the label says that objects are real"),
        ({"frame": "20"}, "--frame: the patterns of "),
        ({"grid": "32"}, "--grid: the patterns of "),
        ({"beamstop": "3"}, "--beamstop: the patterns of "),
        ({"references": "oracle"}, "nobody knows the truth behind measured patterns"),
        ({"split": "train"}, "has no train patterns"),
        ({"images": 4}, "--images 4: there are 3"),
        ({"solvers": "unet_a"}, "unet_a was trained on"),
    ],
)
def test_a_setting_that_patterns_do_not_have_is_refused_before_anything_is_written(swept, tmp_path, options, words):
    done = swept(**options)
    assert done.status == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_is_true_of_patterns_may_be_said(swept):
    assert swept(variants="none", photons="none", objects="real", frame="12x10", grid="24", beamstop=0).status == 0


def test_another_content_of_the_file_is_other_data(swept, tmp_path):
    swept()
    np.save(tmp_path / "scan.npy", 1.01 * np.load(tmp_path / "scan.npy"))
    again = swept()
    assert again.status == 0
    assert "finished already" not in again.err


def test_a_centre_that_looks_wrong_is_doubted(swept, scan):
    assert "centre=" not in swept().err
    assert "brightest away from" in swept("wrong", dataset=scan.replace("]", ",centre=corner]"), images=1).err
