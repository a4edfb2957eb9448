"""What fails becomes rows that say so, and changes nothing for the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from doubles import Blank, Broken, LongWinded, Misshapen, NotFinite, Quitting, register_solvers

import bench.sweep.shard
from bench.errors import Exit
from bench.sweep.shard import observe


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Broken, "ZeroDivisionError: the [/dial] was at [bold]eleven"),
        (LongWinded, "ValueError: the beam was off for further information see the manual"),
        (Quitting, "SystemExit: 0"),
        (Misshapen, "the solver returned 'images' of shape (2, 3, 3) instead of (2, 96, 96)"),
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

    def prepare(self, backend, problem=None):
        raise UnavailableError("no weights for this variant")

    monkeypatch.setattr(Blank, "prepare", prepare)
    assert run(solvers="blank,er[iterations=1]", variants="none").status == 3
    assert set(rows()["reason"]) == {"", "solvers.errors.UnavailableError: no weights for this variant"}


def test_reconstructions_that_are_not_finite_score_one(run, rows, monkeypatch):
    register_solvers(monkeypatch, NotFinite)
    assert run(solvers="not_finite", variants="none").status == 0
    assert set(rows()["mse"]) == {1.0}


def test_a_measurement_that_is_not_finite_or_dark_becomes_a_row(run, rows, monkeypatch):
    def faulty(*arguments):
        truth, measurement = observe(*arguments)
        measurement.intensities[measurement.indices == 1, 5, 5] = np.inf
        measurement.intensities[measurement.indices == 2] = 0
        return truth, measurement

    label = "rrr[nonneg=true,iterations=20]"
    run("clean", solvers=label, images=5)
    monkeypatch.setattr(bench.sweep.shard, "observe", faulty)
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


def test_images_that_are_not_finite_are_told(monkeypatch, run):
    register_solvers(monkeypatch, NotFinite)
    done = run(solvers="not_finite,er[iterations=1]", variants="none", images=2)
    assert done.status == 0
    assert "not_finite diverged 2 times" in done.err
    assert "iterations=1] diverged" not in done.err
