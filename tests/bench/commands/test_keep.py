"""Pictures are asked for with a run or later: only what has none is solved again, and nothing else changes."""

from __future__ import annotations

import pandas as pd
import pytest
from doubles import Blank, Broken, Still, register_solvers

from bench.report.curves import CURVES, read_curves
from bench.report.pictures import PICTURES, kept_pictures


@pytest.fixture
def asked(monkeypatch):
    """The images that a solver was asked for, shard by shard, since the last time."""
    register_solvers(monkeypatch, Blank)
    Blank.asked.clear()

    def since():
        found = list(Blank.asked)
        Blank.asked.clear()
        return found

    return since


OPTIONS = {"solvers": "blank", "variants": "none", "images": 6, "shard": 2}


def images(folder):
    return [picture.image for picture in kept_pictures(folder)]


def test_only_shards_that_hold_kept_images_are_solved_again(run, rows, tmp_path, asked):
    assert run(keep="0", **OPTIONS).status == 0
    before = rows()
    assert asked() == [(0, 1), (2, 3), (4, 5)]
    done = run(keep="1,4", **OPTIONS)
    assert "2 finished shards have no pictures of images to keep: they are solved again" in " ".join(done.err.split())
    assert asked() == [(0, 1), (4, 5)]
    assert images(tmp_path / "out") == [1, 4]
    pd.testing.assert_frame_equal(rows(), before)
    assert "pictures" not in run(keep="1,4", **OPTIONS).err
    assert asked() == []


def test_pictures_that_were_stored_before_stay_with_their_shards(run, tmp_path, asked):
    run(keep="1,4", **OPTIONS)
    asked()
    run(keep="0,", **OPTIONS)
    assert asked() == [(0, 1)]
    assert images(tmp_path / "out") == [0]
    run(keep="0,1,4", **OPTIONS)
    assert asked() == []
    assert images(tmp_path / "out") == [0, 1, 4]


def test_a_run_that_keeps_nothing_any_more_has_no_pictures(run, tmp_path, asked):
    run(keep="2", **OPTIONS)
    assert (tmp_path / "out" / PICTURES).is_file()
    run(keep="0", **OPTIONS)
    assert asked() == [(0, 1), (2, 3), (4, 5)]
    assert not (tmp_path / "out" / PICTURES).exists()


def test_a_damaged_shard_is_made_again_with_its_pictures(run, tmp_path, asked):
    run(keep="6", **OPTIONS)
    whole = (tmp_path / "out" / PICTURES).read_bytes()
    shard = sorted((tmp_path / "out" / "shards").iterdir())[0]
    content = shard.read_bytes()
    shard.write_bytes(content[:-100] + bytes([content[-100] ^ 1]) + content[-99:])  # among the pictures
    asked()
    done = run(keep="6", **OPTIONS)
    assert "made again" in " ".join(done.err.split())
    assert len(asked()) == 1
    assert (tmp_path / "out" / PICTURES).read_bytes() == whole


def test_a_solver_that_fails_now_leaves_what_it_has_done(run, rows, tmp_path, asked, monkeypatch):
    run(keep="0", **OPTIONS)
    before = rows()
    monkeypatch.setattr(Blank, "solve", Broken.solve)
    done = run(keep="3,", **OPTIONS)
    assert done.status == 3
    assert "no pictures of blank on none, images 2 to 3" in " ".join(done.err.split())
    pd.testing.assert_frame_equal(rows(), before)
    assert images(tmp_path / "out") == []
    monkeypatch.undo()
    register_solvers(monkeypatch, Blank)
    assert run(keep="3,", **OPTIONS).status == 0
    assert images(tmp_path / "out") == [3]


@pytest.mark.slow
def test_a_config_file_gives_a_count_or_a_list(bench, tmp_path, asked):
    for number, (written, expected) in enumerate([("2", [0, 1]), ("[2]", [2]), ('"2,"', [2]), ('"2"', [0, 1])]):
        config = tmp_path / "sweep.toml"
        config.write_text(
            f'solvers = ["blank"]\nvariants = ["none"]\nimages = 3\ndataset = "sample"\nkeep = {written}\n'
        )
        assert bench("run", "--config", config, "--no-figures", "--output", tmp_path / str(number)).status == 0
        assert images(tmp_path / str(number)) == expected


# ---- curves and figures


@pytest.mark.slow
def test_figures_of_another_request_do_not_stay(run, tmp_path):
    assert run(solvers="er[iterations=5]", variants="none", photons="none,1e4", figures=True, images=1).status == 0
    drawn = tmp_path / "out" / "figures"
    (drawn / "mine.png").write_bytes(b"of the user")
    assert (drawn / "photons.png").is_file()
    assert run(solvers="er[iterations=5]", variants="none", images=1).status == 0
    assert [path.name for path in drawn.iterdir()] == ["mine.png"]


@pytest.mark.slow
def test_figures_of_the_same_request_stay(run, bench, tmp_path):
    options = {"solvers": "er[iterations=5]", "variants": "none", "images": 1}
    run(**options)
    assert bench("plot", tmp_path / "out", "--kind", "profile").status == 0
    run(**options)
    assert (tmp_path / "out" / "figures" / "profile.png").is_file()


@pytest.mark.slow
def test_curves_are_taken_once_and_again_only_with_other_code_or_another_problem(run, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Still)
    options = {"solvers": "still,er[iterations=20]", "images": 4, "figures": True, "keep": "0"}
    assert run(variants="none", **options).status == 0
    first = read_curves(tmp_path / "out")
    assert list(first["solver"].unique()) == ["still", "er[iterations=20]"]
    assert (first["images"] == 2).all()
    Still.counts.clear()
    assert run(variants="none", **options).status == 0
    assert Still.counts == []
    pd.testing.assert_frame_equal(read_curves(tmp_path / "out"), first)
    assert run(variants="none,flip", **options).status == 0
    assert set(read_curves(tmp_path / "out")["variant"]) == {"flip"}


@pytest.mark.slow
def test_curves_of_another_request_do_not_stay(run, tmp_path):
    assert run(solvers="er[iterations=20]", variants="none", figures=True, images=1).status == 0
    assert (tmp_path / "out" / CURVES).is_file()
    assert run(solvers="er[iterations=40]", variants="none", images=1).status == 0
    assert not (tmp_path / "out" / CURVES).exists()


@pytest.mark.slow
def test_a_solver_that_does_not_iterate_is_said_to_have_no_curve(run, monkeypatch, tmp_path):
    register_solvers(monkeypatch, Blank)
    done = run(solvers="blank,er[iterations=20]", variants="none", images=1, figures=True)
    assert "no convergence curve for blank (no iterations)" in " ".join(done.err.split())
    assert (tmp_path / "out" / "figures" / "convergence.png").is_file()
    run(solvers="blank", variants="none", images=1, figures=True)
    assert not (tmp_path / "out" / "figures" / "convergence.png").exists(), "it would be that of another solver"
