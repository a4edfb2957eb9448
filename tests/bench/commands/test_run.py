"""`bench run` from end to end, on a few images of the embedded sample."""

from __future__ import annotations

import json

import doubles
import numpy as np
import pandas as pd
import pytest
from doubles import Blank, Broken

from bench.errors import Exit
from bench.report.pictures import kept_pictures
from bench.score.metrics import adjusted_mse
from datasets import load_images, measure, place, placements
from datasets.problem import COLUMNS
from solvers import Backend, Streams, create

LABELS = ["rrr[nonneg=true,iterations=40]", "er[iterations=20]"]
ROWS = [*COLUMNS, "solver", "seed", "image", "measurement", "status", "reason", "mse", "pixel_mse", "residual"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run with two solvers, two variants, two seeds, three images, and figures, in a worker process."""
    from bench.commands.run import run_sweep
    from bench.request import request

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
        "curves.parquet",
        "figures",
        "figures/convergence.png",
        "figures/gallery.png",
        "figures/pareto.png",
        "figures/profile.png",
        "manifest.json",
        "per_image.parquet",
        "pictures.parquet",
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


def test_pictures_come_through_worker_processes_as_they_were_scored(finished):
    rows = pd.read_parquet(finished / "per_image.parquet")
    images = load_images("sample")
    found = list(kept_pictures(finished))
    np.testing.assert_array_equal([picture.error for picture in found], rows["mse"])
    for picture in found:
        truth = picture.problem.objects(images, np.array([picture.image]), picture.seed)[0]
        left = np.sum((picture.reconstruction - truth) ** 2) / np.sum(truth**2)
        assert left == pytest.approx(picture.error, rel=0.01, abs=1e-6)


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
    assert {name.split(", ")[3] for name in manifest["measurements"]} == {"shift_flip", "none"}
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


def test_a_run_that_is_given_again_says_that_nothing_is_solved_again(run):
    options = {"solvers": "er[iterations=1]", "variants": "none"}
    assert "finished already" not in run(**options).err
    assert "2 of 2 shards are finished already: nothing is solved again" in run(**options).err
    assert "2 of 4 shards are finished already: the others are solved" in run(**options, seed="0,1").err


@pytest.mark.slow
def test_that_no_kernel_relaxes_is_said_once(run):
    done = run(solvers="er[iterations=1,relax=1]", executor="processes", workers=2, shard=1)
    assert done.err.count("runs the portable code") == 1


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
