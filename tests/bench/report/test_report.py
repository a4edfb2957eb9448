"""Tables on terminals of any width: every character of a label and of a number is there, whatever the width."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows, write_run
from rich.console import Console

from bench.gate.baseline import Baseline, write_baseline
from bench.report.tables import summarise
from bench.report.terminal import print_summary

LONG = "difference_map[nonneg=true,iterations=2000,starts=5,beta=0.{}]"
LABELS = [LONG.format(5), LONG.format(6), "er"]
VARIANTS = ("none", "flip", "shift", "shift_flip")
WIDTHS = (40, 60, 80, 200)


def contains(shown: str, label: str) -> bool:
    """Whether a label is there, whole, or folded into lines that follow each other."""
    return re.search(r"(?:[^\n]*\n *)?".join(map(re.escape, label)), shown) is not None


@pytest.fixture(params=WIDTHS)
def width(request, monkeypatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


@pytest.fixture
def rows(rng) -> pd.DataFrame:
    return pd.concat(
        [result_rows(label, rng.random(12), variant=variant) for variant in VARIANTS for label in LABELS],
        ignore_index=True,
    ).assign(pixel_mse=0.1, residual=0.1, iterations=10, starts=1)


def fits(shown: str, width: int) -> None:
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    for label in LABELS:
        assert contains(shown, label)


def summary_of(rows: pd.DataFrame) -> pd.DataFrame:
    return summarise(rows)


def test_a_summary_cuts_nothing(rows, width, capsys):
    summary = summary_of(rows)
    print_summary(summary, Console())
    shown = capsys.readouterr().out
    fits(shown, width)
    for line in summary.to_dict("records"):
        assert re.search(rf"\b{line['mse']:.4f} +{line['success_rate']:.0%}(?!\S)", shown)
    for variant in VARIANTS:
        assert re.search(rf"\b{variant}\b", shown)


def test_a_comparison_cuts_nothing(bench, tmp_path, rows, width):
    run = write_run(tmp_path / "run", rows)
    done = bench("compare", run, "--csv", tmp_path / "pairs.csv")
    assert done.status == 0
    fits(done.out, width)
    for line in pd.read_csv(tmp_path / "pairs.csv").to_dict("records"):
        assert f"{line['difference']:+.4f}" in done.out
        assert f"[{line['low']:+.4f}, {line['high']:+.4f}]" in done.out
        assert f"{line['mse_a']:.4f}" in done.out
        assert f"{line['win_rate']:.0%}" in done.out


def test_the_gate_cuts_nothing(bench, tmp_path, rows, width, rng):
    write_baseline(Baseline({}, {}, "0.1.0", (), rows), tmp_path / "baseline.csv")
    run = write_run(tmp_path / "run", rows.assign(mse=rng.random(len(rows))))
    done = bench("check", "--baseline", tmp_path / "baseline.csv", "--current", run)
    fits(done.out, width)
    for before in rows.groupby(["solver", "variant"])["mse"].mean():
        assert f"{before:.4g} → " in " ".join(done.out.split())
    for word in ("inconclusive", "success_rate", "transforms"):
        assert word in done.out


def test_a_status_cuts_nothing(bench, run, tmp_path, width):
    run(solvers=",".join(LABELS[:2]).replace("2000", "1").replace("starts=5", "starts=2"), images=1)
    shown = bench("status", "--output", tmp_path / "out").out
    assert max(map(len, shown.splitlines())) <= width
    for label in LABELS[:2]:
        assert contains(shown, label.replace("2000", "1").replace("starts=5", "starts=2"))
    for word in ("all shards", "done", "shift_flip", "none"):
        assert word in shown


def test_one_image_has_no_interval(bench, tmp_path, width, capsys):
    rows = pd.concat([result_rows(label, np.array([0.2])) for label in LABELS])
    shown = bench("compare", write_run(tmp_path / "run", rows)).out
    assert "one image: no interval" in shown
    assert "nan" not in shown
    print_summary(summary_of(rows.assign(pixel_mse=0.1, residual=0.1, iterations=10, starts=1)), Console())
    shown = " ".join(capsys.readouterr().out.split())
    assert "one image: no interval" in shown
    assert "nan" not in shown


def test_the_papers_figures_are_said_with_the_images_they_are_of(capsys):
    rows = pd.concat([result_rows(label, np.zeros(3), variant="shift_flip") for label in ("alm", "alm[nonneg=true]")])
    print_summary(summary_of(rows.assign(pixel_mse=0.1, residual=0.1, iterations=10, starts=1)), Console(width=200))
    lines = {line.split(" used ")[0]: line for line in capsys.readouterr().out.splitlines() if " used " in line}
    assert "the paper reports 0.299 on shift_flip (over 10000 images, of which this is a subset of 3)" in lines["alm"]
    assert "paper" not in lines["alm[nonneg=true]"]
