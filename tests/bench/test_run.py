"""`bench run` from end to end, on a few images of the embedded sample."""

from __future__ import annotations

import json
import sys

import doubles
import numpy as np
import pandas as pd
import pytest
from doubles import Blank, Broken, Interrupted, LongWinded, Misshapen, NotFinite, Quitting, register_solvers

import bench.shard
from bench.errors import Exit
from bench.metrics import adjusted_mse
from datasets import load_images, measure, place, placements
from solvers import Backend, Streams, create
from solvers.registry import BUILT_IN

LABELS = ["rrr[nonneg=true,iterations=40]", "er[iterations=20]"]
ROWS = ["variant", "solver", "seed", "image", "measurement", "status", "reason", "mse", "pixel_mse", "residual"]


@pytest.fixture
def run(bench, tmp_path):
    """`bench run` into a folder; options as keywords."""

    def call(folder: str = "out", **options: object):
        defaults = {"dataset": "sample", "images": 3, "variants": "shift_flip,none", "threads": 1, "shard": 2}
        given = {**defaults, **options}
        figures = "--figures" if given.pop("figures", False) else "--no-figures"
        arguments = [part for key, value in given.items() for part in (f"--{key}", value)]
        return bench("run", figures, *arguments, "--output", tmp_path / folder)

    return call


@pytest.fixture
def rows(tmp_path):
    return lambda folder="out": pd.read_parquet(tmp_path / folder / "per_image.parquet")


def shard_files(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()}


# ---- what comes out


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run with two solvers, two variants, two seeds, three images, and figures, in a worker process."""
    from bench.run import run_sweep
    from bench.sweep import request

    folder = tmp_path_factory.mktemp("finished") / "a [strange] name"
    sweep = request(
        solvers=tuple(LABELS),
        variants=("shift_flip", "none"),
        seeds=(0, 4),
        images=3,
        dataset="sample",
        threads=1,
        shard=2,
        executor="processes",
    )
    result = run_sweep(sweep, folder)
    assert result.status == Exit.FINE
    return folder


def test_a_run_leaves_rows_tables_timings_figures_and_a_manifest(finished):
    names = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if "shards/" not in str(path)}
    assert names == {
        ".phasebench.lock",
        "figures",
        "figures/convergence.png",
        "figures/gallery.png",
        "manifest.json",
        "per_image.parquet",
        "shards",
        "summary.csv",
        "sweep.json",
        "table1.csv",
        "table2.csv",
        "timing.csv",
    }
    assert all(path.stat().st_size > 5000 for path in (finished / "figures").iterdir())


def test_there_is_one_row_for_every_solver_variant_image_and_seed(finished):
    rows = pd.read_parquet(finished / "per_image.parquet")
    assert list(rows.columns[: len(ROWS)]) == ROWS
    assert not rows.duplicated(["solver", "variant", "image", "seed"]).any()
    assert len(rows) == 2 * 2 * 3 * 2
    assert list(rows["variant"].unique()) == ["shift_flip", "none"]
    assert list(rows["solver"].unique()) == LABELS
    assert rows["mse"].between(0, 1).all()
    assert set(rows["status"]) <= {"solved", "stopped"}


def test_every_solver_has_seen_the_same_measurements(finished):
    rows = pd.read_parquet(finished / "per_image.parquet")
    assert (rows.groupby(["variant", "seed", "image"])["measurement"].nunique() == 1).all()
    assert rows[rows["variant"] == "shift_flip"]["measurement"].str.len().eq(64).all()


def test_a_row_is_what_the_solver_does_with_that_image(finished):
    rows = pd.read_parquet(finished / "per_image.parquet")
    where = placements("shift_flip", seed=4, split="test", indices=[2])
    truth = place(load_images("sample").tiles(np.array([2])), where)
    solver = create(LABELS[0])
    solver.prepare(Backend())
    measurement = measure(truth, indices=np.array([2]))
    found = solver.solve(measurement, Streams(4))
    row = rows.query("solver == @LABELS[0] and variant == 'shift_flip' and seed == 4 and image == 2").iloc[0]
    assert row["mse"] == adjusted_mse(truth, found.images)[0]
    assert row["residual"] == found.residual[0]
    assert row["measurement"] == measurement.digests()[0]
    assert row["iterations"] == found.iterations[0] <= 40
    energy = np.sum(truth.astype(float) ** 2)
    assert row["pixel_mse"] == pytest.approx(row["mse"] * energy / 42**2)


def test_the_tables_are_the_means_of_the_rows(finished):
    rows = pd.read_parquet(finished / "per_image.parquet")
    mean = rows.groupby(["variant", "solver"])["mse"].mean()
    first = pd.read_csv(finished / "table1.csv")
    assert list(first.columns) == ["variant", *LABELS]
    assert list(first["variant"]) == ["none", "shift_flip"]  # the paper's order
    for _, line in first.iterrows():
        for label in LABELS:
            assert line[label] == pytest.approx(mean[line["variant"], label], rel=1e-5)
    second = pd.read_csv(finished / "table2.csv")
    assert list(second["solver"]) == LABELS
    np.testing.assert_allclose(second["mse"], mean["shift_flip"][LABELS], rtol=1e-5)
    summary = pd.read_csv(finished / "summary.csv")
    assert {"variant", "solver", "images", "mse", "mse_low", "mse_high", "median", "success_rate"} <= set(
        summary.columns
    )
    assert (summary["images"] == 3).all()
    assert (summary["seeds"] == 2).all()
    assert (summary["mse_low"] <= summary["mse"]).all()
    assert (summary["mse"] <= summary["mse_high"]).all()


def test_solving_is_timed_apart_from_setup_and_scoring(finished):
    timing = pd.read_csv(finished / "timing.csv")
    assert list(timing["solver"].unique()) == LABELS
    assert (timing["images"] == 6).all()
    for column in ("setup_seconds", "solve_seconds", "score_seconds", "measure_seconds", "microseconds_per_iteration"):
        assert (timing[column] > 0).all()
    assert (timing["device"] == "cpu").all()


def test_the_manifest_says_what_would_be_needed_to_repeat_the_run(finished):
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["sweep"]["seeds"] == [0, 4]
    assert manifest["data"]["sha256"] == load_images("sample").digest
    assert {"numpy", "torch"} <= set(manifest["packages"])
    assert set(manifest["measurements"]) == {"shift_flip", "none"}
    assert all(len(digest) == 64 for digest in manifest["measurements"].values())
    assert manifest["machine"]["threads"] == 1
    assert {"argv", "commit", "python", "weights"} <= set(manifest)


def test_the_summary_is_shown_with_the_papers_number(run):
    done = run(solvers="alm[iterations=1],er[iterations=1]", images=1)
    assert done.status == 0
    assert "er" in done.err
    assert "alm[iterations=1]" in done.err
    assert "0.299" in done.err
    assert done.out == ""


def test_photons_make_noise_that_belongs_to_the_image(run, rows):
    assert run("noisy", solvers=",".join(LABELS), photons=1e5, variants="none").status == 0
    assert run("clean", solvers=LABELS[0], variants="none").status == 0
    assert run("one", solvers=LABELS[0], photons=1e5, variants="none", images=1).status == 0
    noisy = rows("noisy").set_index(["solver", "image"])["measurement"]
    assert (noisy[LABELS[0]] == noisy[LABELS[1]]).all()
    assert (noisy[LABELS[0]].to_numpy() != rows("clean")["measurement"].to_numpy()).all()
    assert rows("one")["measurement"][0] == noisy[LABELS[0]][0]


def test_shards_threads_and_order_change_no_number(run, rows):
    options = {"solvers": ",".join(LABELS), "variants": "shift_flip"}
    run("a", **options, shard=1)
    run("b", **options, shard=3, threads=2)
    run("c", solvers=",".join(reversed(LABELS)), variants="shift_flip", shard=2)
    a, b, c = rows("a"), rows("b"), rows("c")
    pd.testing.assert_frame_equal(a, b)
    by_row = ["solver", "image"]
    pd.testing.assert_frame_equal(a.sort_values(by_row, ignore_index=True), c.sort_values(by_row, ignore_index=True))


# ---- going on


def test_a_finished_run_is_not_computed_again(run, rows, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    Blank.asked.clear()
    assert run(solvers="blank").status == 0
    assert Blank.asked == [(0, 1), (2,)] * 2
    first, files = rows(), shard_files(tmp_path / "out")
    tables = {name: (tmp_path / "out" / name).read_bytes() for name in ("summary.csv", "table1.csv", "table2.csv")}
    assert run(solvers="blank").status == 0
    assert len(Blank.asked) == 4
    assert shard_files(tmp_path / "out") == files
    pd.testing.assert_frame_equal(rows(), first)
    assert all((tmp_path / "out" / name).read_bytes() == content for name, content in tables.items())


def test_a_run_that_was_stopped_goes_on_where_it_was(run, rows, monkeypatch):
    register_solvers(monkeypatch, Interrupted)
    Blank.asked.clear()
    monkeypatch.setattr(Interrupted, "impatient", True)
    done = run(solvers="interrupted", variants="none")
    assert done.status == 130
    assert "Traceback" not in done.err
    assert Blank.asked == [(0, 1)]
    monkeypatch.setattr(Interrupted, "impatient", False)
    assert run(solvers="interrupted", variants="none").status == 0
    assert Blank.asked == [(0, 1), (2,)]
    assert list(rows()["image"]) == [0, 1, 2]


def test_another_solver_or_variant_joins_a_run_without_repeating_it(run, rows, monkeypatch):
    register_solvers(monkeypatch, Blank)
    Blank.asked.clear()
    run(solvers="blank", variants="none")
    run(solvers="blank,er[iterations=1]", variants="none,flip")
    assert Blank.asked == [(0, 1), (2,)] * 2
    assert len(rows()) == 12


@pytest.mark.parametrize("changed", ["solver_of_another.py", "solver_of_another/helper.py"])
def test_a_plug_in_whose_code_has_changed_is_run_again(run, tmp_path, monkeypatch, changed):
    source = "from doubles import Blank\nclass Foreign(Blank):\n    name = 'foreign'\n"
    site = tmp_path / "site"
    main = site / (changed if "/" not in changed else "solver_of_another/__init__.py")
    main.parent.mkdir(parents=True)
    main.write_text(source)
    (site / changed).touch()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "solver_of_another", raising=False)
    monkeypatch.setitem(BUILT_IN, "foreign", "solver_of_another:Foreign")
    Blank.asked.clear()
    for expected in (1, 1, 2):
        if expected == 2:
            with (site / changed).open("a") as stream:
                stream.write("# another version\n")
        assert run(solvers="foreign", variants="none", images=1).status == 0
        assert len(Blank.asked) == expected
    sys.modules.pop("solver_of_another")


def test_a_damaged_shard_is_made_again(run, rows, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    run(solvers="blank", variants="none")
    expected = rows()
    damaged = sorted((tmp_path / "out" / "shards").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:50])
    Blank.asked.clear()
    done = run(solvers="blank", variants="none")
    assert done.status == 0
    said = " ".join(done.err.split())
    assert "shard blank on none, images" in said
    assert damaged.name in said
    assert len(Blank.asked) == 1
    pd.testing.assert_frame_equal(rows(), expected)


def test_what_a_killed_run_has_left_half_written_is_swept_up(run, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    run(solvers="blank", variants="none")
    shard = next(iter((tmp_path / "out" / "shards").iterdir()))
    left = [shard.with_name(f".{shard.name}.abcd_123"), tmp_path / "out" / ".summary.csv.abcd_123"]
    kept = [tmp_path / "out" / ".notes", tmp_path / "out" / "summary.csv.abcd_123"]
    for path in left + kept:
        path.write_text("half")
    assert run(solvers="blank", variants="none").status == 0
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_a_folder_with_nothing_but_half_a_beginning_is_used(run, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".sweep.json.abcd_123").write_text("{")
    (tmp_path / "out" / ".phasebench.lock").write_text("")
    assert run(solvers="blank", variants="none").status == 0


# ---- what fails


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Broken, "ZeroDivisionError: the [/dial] was at [bold]eleven"),
        (LongWinded, "ValueError: the beam was off for further information see the manual"),
        (Quitting, "SystemExit: 0"),
        (Misshapen, "ValueError: the solver returned images of shape (2, 3, 3) instead of (2, 96, 96)"),
    ],
)
def test_a_failing_solver_becomes_rows_with_a_reason_while_the_others_finish(run, rows, monkeypatch, kind, reason):
    register_solvers(monkeypatch, kind)
    done = run(solvers=f"{kind.name},er[iterations=5]", figures=True, variants="none", images=2)
    assert done.status == Exit.SOLVER == 3
    found = rows().set_index("solver")
    failed, well = found.loc[kind.name], found.loc["er[iterations=5]"]
    assert set(failed["status"]) == {"failed"}
    assert set(failed["reason"]) == {reason}
    assert set(failed["mse"]) == {1.0}
    assert len(failed) == len(well) == 2
    assert set(well["status"]) == {"stopped"}
    assert set(well["reason"]) == {""}
    assert " ".join(reason.split()[:5]) in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_a_failing_solver_does_not_change_the_numbers_of_the_others(run, rows, monkeypatch):
    register_solvers(monkeypatch, Broken)
    run("with", solvers="broken,er[iterations=5]", variants="none")
    run("without", solvers="er[iterations=5]", variants="none")
    found = rows("with")
    pd.testing.assert_frame_equal(found[found["solver"] != "broken"].reset_index(drop=True), rows("without"))


def test_a_failed_shard_is_tried_again(run, rows, monkeypatch):
    register_solvers(monkeypatch, Broken)
    run(solvers="broken", variants="none")
    monkeypatch.setattr(Broken, "solve", Blank.solve)
    assert run(solvers="broken", variants="none").status == 0
    assert set(rows()["status"]) == {"stopped"}


def test_a_solver_that_cannot_be_prepared_fails_without_stopping_the_sweep(run, rows, monkeypatch):
    register_solvers(monkeypatch, Blank)
    from solvers import UnavailableError

    def prepare(self, backend, variant=None):
        raise UnavailableError("no weights for this variant")

    monkeypatch.setattr(Blank, "prepare", prepare)
    assert run(solvers="blank,er[iterations=1]", variants="none").status == 3
    assert set(rows()["reason"]) == {"", "solvers.errors.UnavailableError: no weights for this variant"}


def test_reconstructions_that_are_not_finite_score_one(run, rows, monkeypatch):
    register_solvers(monkeypatch, NotFinite)
    assert run(solvers="not_finite", variants="none").status == 0
    assert set(rows()["mse"]) == {1.0}


def test_a_measurement_that_is_not_finite_or_dark_becomes_a_row(run, rows, monkeypatch):
    def faulty(*arguments, **options):
        measurement = measure(*arguments, **options)
        measurement.intensities[measurement.indices == 1, 5, 5] = np.nan
        measurement.intensities[measurement.indices == 2] = 0
        return measurement

    label = "rrr[nonneg=true,iterations=20]"
    run("clean", solvers=label, images=5)
    monkeypatch.setattr(bench.shard, "measure", faulty)
    assert run("faulty", solvers=label, images=5).status == 0
    clean, found = rows("clean"), rows("faulty")
    bad = found["image"].isin([1, 2])
    assert set(found.loc[bad, "status"]) == {"invalid"}
    assert set(found.loc[bad, "mse"]) == {1.0}
    assert found.loc[bad, "residual"].isna().all()
    pd.testing.assert_frame_equal(found[~bad], clean[~bad])


def test_a_run_in_which_no_photon_was_seen_still_has_its_tables_and_figures(run, rows, tmp_path):
    assert run(solvers="er[iterations=5]", photons=1e-9, variants="none", images=2, figures=True).status == 0
    assert set(rows()["status"]) == {"invalid"}
    assert (tmp_path / "out" / "manifest.json").is_file()


# ---- config


def test_a_config_file_is_the_command_line_in_a_file_and_the_command_line_wins(bench, rows, tmp_path):
    config = tmp_path / "sweep.toml"
    config.write_text(
        'solvers = ["rrr[nonneg=true,iterations=5]", "er[iterations=5]"]\nvariants = ["flip"]\nimages = 4\n'
        'dataset = "sample"\nthreads = 1\nseed = 3\nphotons = 1e6\n'
    )
    assert bench("run", "--config", config, "--images", 2, "--no-figures", "--output", tmp_path / "out").status == 0
    found = rows()
    assert list(found["solver"].unique()) == ["rrr[nonneg=true,iterations=5]", "er[iterations=5]"]
    assert set(found["variant"]) == {"flip"}
    assert set(found["image"]) == {0, 1}
    assert set(found["seed"]) == {3}


def test_the_stand_ins_are_no_part_of_the_product():
    from solvers.registry import names

    assert not {kind.name for kind in (Blank, Broken, doubles.Still)} & set(names())
