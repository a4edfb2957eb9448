"""What a finished run keeps to look at: reconstructions as they were scored, each beside its truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from doubles import Broken, NotFinite, register_solvers

from bench.errors import RequestError
from bench.report.curves import read_curves
from bench.report.pictures import PICTURES, kept_pictures
from bench.score.metrics import adjusted_mse, register, registered
from datasets import load_images
from datasets.problem import Problem
from solvers import Backend, Streams, create
from solvers.files import sha256

LABELS = ["rrr[iterations=30]", "er[iterations=5]"]


def pictures(folder: Path):
    return list(kept_pictures(folder))


def test_a_picture_is_the_reconstruction_that_was_scored_beside_its_truth(run, rows, tmp_path):
    assert run(solvers=",".join(LABELS), variants="none,shift_flip", objects="real,complex", seed="0,4").status == 0
    found = pictures(tmp_path / "out")
    about = [(picture.problem, picture.solver, picture.seed, picture.image) for picture in found]
    assert len(set(about)) == len(about) == len(rows()) == 2 * 2 * 2 * 2 * 3
    assert [(solver, seed, image) for _, solver, seed, image in about] == list(
        rows()[["solver", "seed", "image"]].itertuples(index=False, name=None)
    )
    np.testing.assert_array_equal([picture.error for picture in found], rows()["mse"])
    images = load_images("sample")
    for picture in found:
        truth = picture.problem.objects(images, np.array([picture.image]), picture.seed)[0]
        np.testing.assert_allclose(picture.truth, truth, atol=2e-3 * np.abs(truth).max())
        assert picture.reconstruction.dtype == picture.truth.dtype == truth.dtype
        left = np.linalg.norm(picture.reconstruction - truth) ** 2 / np.linalg.norm(truth) ** 2
        assert left == pytest.approx(picture.error, rel=0.01, abs=1e-6)


def test_a_picture_has_the_pixels_of_what_the_solver_returns(run, tmp_path):
    assert run(solvers=LABELS[0], variants="none", images=1).status == 0
    (picture,) = pictures(tmp_path / "out")
    problem = Problem(dataset="sample", variant="none")
    one = np.array([0])
    solver = create(LABELS[0])
    solver.prepare(Backend())
    truth = problem.objects(load_images("sample"), one, 0)
    found = solver.solve(problem.measure(truth, one, 0), Streams(0)).images
    (expected,) = registered(truth, found, register(truth, found))
    np.testing.assert_allclose(picture.reconstruction, expected, atol=2**-10 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("keep", "images"), [("2", [0, 1]), ("2,", [2]), ("2, 0", [0, 2]), ("9", [0, 1, 2]), ("1", [0]), (None, [0, 1, 2])]
)
def test_a_number_is_a_count_and_a_comma_makes_a_list(run, tmp_path, keep, images):
    options = {} if keep is None else {"keep": keep}
    assert run(solvers="er[iterations=1]", variants="none", **options).status == 0
    assert [picture.image for picture in pictures(tmp_path / "out")] == images


def test_pictures_change_no_row(run, rows, tmp_path):
    options = {"solvers": ",".join(LABELS), "variants": "shift_flip"}
    assert run("with", keep="3", **options).status == 0
    assert run("without", keep="0", **options).status == 0
    pd.testing.assert_frame_equal(rows("with"), rows("without"))
    assert (tmp_path / "with" / PICTURES).is_file()
    assert not (tmp_path / "without" / PICTURES).exists()


def test_a_solver_that_fails_has_no_picture_and_one_that_diverges_an_empty_one(run, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Broken, NotFinite)
    assert run(solvers="broken,not_finite", variants="none", images=1).status == 3
    (picture,) = pictures(tmp_path / "out")
    assert picture.solver == "not_finite"
    assert picture.error == 1
    assert np.isnan(picture.reconstruction).all()


def test_the_pictures_of_an_image_in_tiny_units_are_those_of_that_image(run, tmp_path, rng):
    np.save(tmp_path / "tiny.npy", (1e-30 * rng.random((2, 8, 8))).astype(np.float32))
    dataset = f"images[path={tmp_path / 'tiny.npy'}]"
    assert run(dataset=dataset, solvers="er[iterations=3]", variants="none", images=2).status == 0
    for picture in pictures(tmp_path / "out"):
        assert picture.truth.max() == pytest.approx(np.load(tmp_path / "tiny.npy")[picture.image].max(), rel=1e-3)
        padded = np.pad(picture.reconstruction, 8)[None]
        assert adjusted_mse(picture.truth[None], padded)[0] == pytest.approx(picture.error, abs=1e-3)


# ---- what is on disk is believed only as it was written


@pytest.fixture
def finished(run, tmp_path) -> Path:
    assert run(solvers="er[iterations=1]", variants="none").status == 0
    return tmp_path / "out"


def sign(folder: Path, table: pd.DataFrame) -> None:
    """Other pictures under a checksum that fits."""
    table.to_parquet(folder / PICTURES)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][PICTURES] = sha256((folder / PICTURES).read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_pictures_that_were_changed_are_refused(finished):
    content = bytearray((finished / PICTURES).read_bytes())
    content[len(content) // 2] ^= 1
    (finished / PICTURES).write_bytes(content)
    with pytest.raises(RequestError, match="is damaged"):
        pictures(finished)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda table: table.drop(columns="pixels"), "pixels"),
        (lambda table: table.assign(pixels=b"12"), "image 0"),
        (lambda table: table.assign(pixels=1), "image 0"),
        (lambda table: table.assign(frame="1x1"), "image 0"),
        (lambda table: table.assign(frame="x"), "frame"),
        (lambda table: table[table["solver"] != ""], "no truth of image 0"),
        (lambda table: table[:0], "no rows"),
    ],
)
def test_odd_pictures_under_a_fitting_checksum_are_an_error_of_one_line(finished, change, word):
    sign(finished, change(pd.read_parquet(finished / PICTURES)))
    with pytest.raises(RequestError, match=r"is damaged|has no rows") as error:
        pictures(finished)
    assert word in str(error.value)


def test_a_run_without_pictures_or_curves_says_which_option_stores_them(run, tmp_path):
    run(solvers="er[iterations=1]", variants="none", keep="0")
    with pytest.raises(RequestError, match="--keep 12"):
        pictures(tmp_path / "out")
    with pytest.raises(RequestError, match="--no-figures"):
        read_curves(tmp_path / "out")


def test_a_folder_without_a_run_has_no_pictures(tmp_path):
    with pytest.raises(RequestError, match="no finished run"):
        pictures(tmp_path)
