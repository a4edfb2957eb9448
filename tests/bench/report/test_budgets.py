"""`bench export --within`: the smallest error that a time for an image buys, told from the tables of a run."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows, write_run

from bench.errors import NothingStoredError, RequestError
from bench.report.budgets import ANY, budgets, read_times, shown
from bench.report.manifest import MANIFEST
from bench.report.tables import summarise
from bench.sweep.rows import GROUP
from solvers.files import sha256

BOX, TRAINED = "support: box, real", "real, trained on fashion_mnist"


def rows_of(solver, mse, information=BOX, images=20, **options):
    return result_rows(solver, np.full(images, mse), **options).assign(information=information)


def tables(*solvers, device="cpu"):
    """Summary, timing and rows of a run, from pairs of rows and milliseconds of processor time."""
    rows = pd.concat([rows for rows, _ in solvers], ignore_index=True)
    summary = summarise(rows.assign(pixel_mse=0.0, residual=rows["mse"], iterations=10, starts=1))
    lines = [
        {
            **part.iloc[0][GROUP],
            "solve_ms_per_image_median": time / 4,  # of four threads
            "solve_cpu_ms_per_image_median": time,
            "device": device,
        }
        for part, time in solvers
    ]
    return summary, pd.DataFrame(lines), rows


def best(table, information=ANY):
    return dict(table.loc[table["information"] == information, ["within_ms", "solver"]].itertuples(index=False))


@pytest.fixture
def run():
    return tables(
        (rows_of("quick", 0.4), 5),
        (rows_of("good", 0.1), 50),
        (rows_of("wasteful", 0.2), 80),
        (rows_of("network", 0.3, TRAINED), 10),
    )


def test_of_those_within_the_time_the_smallest_error_wins_and_the_limit_counts(run):
    table = budgets(*run, [5, 9.99, 10, 49, 50, 1000])
    assert best(table) == {5: "quick", 9.99: "quick", 10: "network", 49: "network", 50: "good", 1000: "good"}
    line = table[(table["within_ms"] == 10) & (table["information"] == ANY)].iloc[0]
    assert (line["mse"], line["ms_per_image"], line["images"]) == (pytest.approx(0.3), 10, 20)
    assert line["mse_low"] <= line["mse"] <= line["mse_high"]


def test_each_kind_of_information_has_lines_of_its_own(run):
    table = budgets(*run, [5, 50])
    assert list(table["information"].unique()) == [ANY, BOX, TRAINED]
    assert best(table, BOX) == {5: "quick", 50: "good"}
    within = best(table, TRAINED)
    assert pd.isna(within[5])
    assert within[50] == "network"


def test_with_one_kind_of_information_its_lines_are_all():
    table = budgets(*tables((rows_of("quick", 0.4), 5), (rows_of("good", 0.1), 50)), [10, 100])
    assert list(table["information"]) == [BOX, BOX]


def test_no_problem_answers_for_another(run):
    summary, timing, rows = tables((rows_of("one", 0.1), 5), (rows_of("other", 0.2, variant="flip"), 5))
    table = budgets(summary, timing, rows, [10])
    assert dict(zip(table["variant"], table["solver"], strict=True)) == {"none": "one", "flip": "other"}
    assert shown(table)[0] == "variant"


def test_of_equal_errors_the_cheaper_one_is_named():
    table = budgets(*tables((rows_of("slow", 0.1), 9), (rows_of("fast", 0.1), 2)), [10])
    assert list(table["solver"]) == ["fast"]


def test_on_a_gpu_the_time_on_the_wall_counts():
    times = {}
    for device in ("cuda", "cpu"):
        table = budgets(*tables((rows_of("one", 0.1), 40), device=device), [10, 40])
        times[device] = table.dropna(subset="solver")["within_ms"].tolist()
    assert times == {"cuda": [10, 40], "cpu": [40]}


def test_solvers_of_other_images_are_not_compared():
    few, many = rows_of("few", 0.1, images=5), rows_of("many", 0.4)
    table = budgets(*tables((few, 5), (many, 5)), [10])
    assert dict(zip(table["images"], table["solver"], strict=True)) == {5: "few", 20: "many"}


def test_failures_count_and_references_and_what_never_ended_do_not():
    failing = pd.concat([rows_of("failing", 0.0), rows_of("failing", 1.0, status="failed").assign(image=range(20, 40))])
    summary, timing, rows = tables((failing, 5), (rows_of("steady", 0.3, images=40), 5), (rows_of("dead", 0.0, ""), 1))
    reference = summary.head(1).assign(solver="oracle", mse=0.0)
    rows["measurement"] = rows["image"].astype(str)
    table = budgets(pd.concat([summary, reference], ignore_index=True), timing, rows, [10])
    assert "steady" in set(table["solver"])
    assert not {"dead", "oracle", "failing"} & set(table["solver"])


def test_where_there_is_nothing_to_compare_it_says_so(run):
    summary, timing, rows = run
    with pytest.raises(NothingStoredError, match="nobody knows the objects"):
        budgets(summary.assign(mse=np.nan), timing, rows, [10])
    with pytest.raises(NothingStoredError, match="no solver of this run came to an end"):
        budgets(summary.assign(information=""), timing, rows, [10])
    with pytest.raises(RequestError, match="'solve_cpu_ms_per_image_median': it is of an older version"):
        budgets(summary, timing.drop(columns="solve_cpu_ms_per_image_median"), rows, [10])
    with pytest.raises(RequestError, match=r"is that fast: 'quick' takes the least time .*, 5 ms"):
        budgets(*run, [1, 4.99])
    assert len(budgets(*run, [4.99, 5])) == 2 * 3


@pytest.mark.parametrize(
    ("words", "times"),
    [(["1s", "10ms"], [10, 1000]), (["250us"], [0.25]), (["1.5 min"], [90_000]), (["1e3ms", "2s"], [1000, 2000])],
)
def test_times_are_read_in_their_units_the_shortest_first(words, times):
    assert read_times(words) == pytest.approx(times)


@pytest.mark.parametrize("words", [["10"], ["ms"], ["-1ms"], ["0ms"], ["1.2.3s"], ["1e999s"], ["10ms", "0.01s"], []])
def test_what_is_no_time_is_refused(words):
    with pytest.raises(RequestError, match=r"^--within: "):
        read_times(words)


@pytest.fixture
def folder(run, tmp_path):
    summary, timing, rows = run
    path = write_run(tmp_path / "run", rows)
    manifest = json.loads((path / MANIFEST).read_text())
    for name, table in (("summary.csv", summary), ("timing.csv", timing)):
        table.to_csv(path / name, index=False)
        manifest["files"][name] = sha256((path / name).read_bytes())
    (path / MANIFEST).write_text(json.dumps(manifest))
    return path


def test_the_command_writes_it_in_every_format(bench, folder, run):
    done = bench("export", folder, "--within", "10ms,1s")
    assert (done.status, done.err) == (0, "")
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(done.out), na_values=[""]), budgets(*run, [10, 1000]), rtol=1e-5, check_dtype=False
    )
    lines = bench("export", folder, "--within", "10ms,1s", "--format", "markdown").out.splitlines()
    assert lines[0] == "| variant | within ms | uses | solver | mse | ms an image |"
    assert re.fullmatch(r"\| none \| 10 \| any \| `network` \| \S+ \[\S+, \S+\] \| 10 \|", lines[2])
    assert r"\texttt{network}" in bench("export", folder, "--within", "10ms", "--format", "latex").out
    named = bench("export", folder, "--within", "10ms", "--columns", "solver").out.split()
    assert named == ["solver", "network", "quick", "network"]


def test_lines_that_name_no_solver_are_counted(bench, folder):
    done = bench("export", folder, "--within", "1us,5ms")
    shown = bench("export", folder, "--within", "1us,5ms", "--format", "markdown", "--columns", "within_ms,solver").out
    assert shown.splitlines()[2] == "| 0.00100 | none |"
    assert done.status == 0
    assert done.err == "bench: 4 of 6 lines name no solver: none of their information is that fast\n"
    assert done.out.count("quick") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--within", "1us"], "no solver of this run is that fast: 'quick' takes the least time"),
        (["--within", "soon"], "--within: 'soon' is no time"),
        (["--within", "10ms", "--table", "timing"], "leave --table timing out"),
        (["--within", "10ms", "--columns", "psnr"], "no column 'psnr'"),
        (["--within", ""], "--within: name at least one time"),
    ],
)
def test_what_cannot_be_is_refused(bench, folder, arguments, words):
    done = bench("export", folder, *arguments)
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert words in done.err


def test_a_finished_run_has_all_that_it_needs(bench, tmp_path):
    given = ("--solvers", "er[iterations=2],hio[iterations=3]", "--variants", "none", "--images", 2, "--dataset")
    assert bench("run", *given, "sample", "--no-figures", "--output", tmp_path).status == 0
    done = bench("export", tmp_path, "--within", "10min", "--columns", "solver,mse,ms_per_image")
    assert (done.status, done.err) == (0, "")
    (line,) = pd.read_csv(io.StringIO(done.out)).to_dict("records")
    errors = pd.read_csv(tmp_path / "summary.csv").set_index("solver")["mse"]
    assert line["solver"] == errors.idxmin()
    assert line["mse"] == pytest.approx(errors.min(), rel=1e-5)
    assert 0 < line["ms_per_image"] < 600_000
