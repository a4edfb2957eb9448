"""`bench reconstruct`: from one file to an object with its resolution; and nothing written where that cannot be."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from doubles import Blank, announce, register_solvers
from PIL import Image

import bench.reconstruction.starts as starts_of
from bench import reconstruct
from bench.errors import RequestError
from bench.reconstruction.job import SOLVER, plan
from bench.reconstruction.pattern import prepare
from bench.reconstruction.trials import trials
from bench.score.metrics import adjusted_mse
from datasets import forward
from solvers import create, select_backend
from solvers.projection.er import ErrorReduction
from solvers.registry import canonical

DATA = ROOT.parent / "shared" / "data"
BRAGG = DATA / "bragg_034idc_frame99.tif"
QUICK = "rrr[nonneg=true,beta=0.5,iterations=200]"

measured = pytest.mark.skipif(not BRAGG.is_file(), reason="the measured data are not beside this checkout")


@pytest.fixture(scope="module")
def real_object():
    """(9, 8) nonnegative, with an outline by which it is known from its flip."""
    rng = np.random.default_rng(3)
    x = 0.2 + rng.random((9, 8))
    x[:4, :3] = 0
    return x


@pytest.fixture
def counts(real_object, tmp_path):
    """Its pattern as a file, zero frequency in the middle."""
    y = np.fft.fftshift(forward(100 * real_object[None], (24, 24))[0])
    np.save(tmp_path / "pattern.npy", np.rint(y).astype(np.int32))
    return tmp_path / "pattern.npy"


def error_of(found, truth):
    return float(adjusted_mse(truth[None], np.array(found)[None])[0])


# ---- what it gives


def test_an_object_is_recovered_with_all_that_is_known_of_how_well(bench, counts, real_object, tmp_path):
    out = tmp_path / "out"
    done = bench("reconstruct", counts, "--object", "9x8", "--solver", QUICK, "--starts", 8, "--output", out)
    assert done.status == 0, done.err
    written = {path.name for path in out.iterdir()} - {".phasebench.lock"}
    assert written == {
        "manifest.json", "object.npz", "object.png", "object.tif", "prtf.csv", "prtf.png", "reconstruction.json",
        "starts", "starts.csv",
    }  # fmt: skip
    with np.load(out / "object.npz") as found:
        assert error_of(found["object"], real_object) < 1e-3
        assert found["object"].shape == found["spread"].shape == found["support"].shape == (24, 24)
        assert found["spread"].max() < 0.05 * np.abs(found["object"]).max()
    with Image.open(out / "object.tif") as picture:
        assert error_of(np.asarray(picture), real_object) < 1e-3
    table = pd.read_csv(out / "starts.csv")
    assert len(table) == 8
    assert table["agrees"].all()
    assert np.nanmin(pd.read_csv(out / "prtf.csv")["prtf"]) > 0.9
    described = json.loads((out / "manifest.json").read_text())
    assert described["agreeing"] == 8
    assert described["object_shape"] == [9, 8]
    assert described["half_period_pixels"] == pytest.approx(1, rel=0.1)
    assert described["solver"] == canonical(QUICK)
    for line in ("zero frequency taken at row 12, column 12", "8 of 8 starts agree", "half-period resolution"):
        assert line in done.err


@pytest.mark.slow
def test_a_command_that_was_stopped_goes_on_where_it_was(bench, counts, tmp_path, monkeypatch):
    solve, numbers = starts_of.solve, []

    def counted(known, label, starts, seed, place):
        if len(numbers) == 2 and not numbers.count("resumed"):
            raise KeyboardInterrupt
        numbers.extend(starts)
        return solve(known, label, starts, seed, place)

    monkeypatch.setattr("bench.reconstruction.job.solve", counted)
    command = ("reconstruct", counts, "--object", 9, "--solver", QUICK, "--threads", 1, "--output", tmp_path / "out")
    assert bench(*command, "--starts", 4).status == 130
    assert numbers == [0, 1]
    numbers.append("resumed")
    assert bench(*command, "--starts", 4).status == 0
    assert numbers == [0, 1, "resumed", 2, 3]
    first = (tmp_path / "out" / "starts.csv").read_text()
    assert bench(*command, "--starts", 5).status == 0
    assert numbers[-1] == 4
    damaged = next((tmp_path / "out" / "starts").glob("*-0001.npz"))
    damaged.write_bytes(damaged.read_bytes()[:50])
    assert bench(*command, "--starts", 4).status == 0
    assert numbers[-1] == 1
    assert (tmp_path / "out" / "starts.csv").read_text() == first


def test_a_folder_with_something_else_in_it_is_left_alone(bench, counts, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("important")
    done = bench("reconstruct", counts, "--object", 9, "--solver", QUICK, "--output", out)
    assert done.status == 2
    assert "is not empty and holds no reconstruction" in done.err
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]


def test_another_pattern_or_solver_takes_another_folder(bench, counts, tmp_path):
    command = ("reconstruct", counts, "--object", 9, "--starts", 2, "--output", tmp_path / "out", "--solver")
    assert bench(*command, "er[nonneg=true,iterations=20]").status == 0
    done = bench(*command, "hio[nonneg=true,iterations=20]")
    assert done.status == 2
    assert "another pattern, or by other means" in done.err


def test_the_library_gives_what_the_command_writes(bench, counts, real_object, tmp_path):
    found = reconstruct(np.load(counts), object_shape=(9, 8), solver=QUICK, starts=3, seed=5, threads=1)
    out = tmp_path / "out"
    options = ("--object", "9x8", "--solver", QUICK, "--starts", 3, "--seed", 5, "--threads", 1)
    assert bench("reconstruct", counts, *options, "--output", out).status == 0
    with np.load(out / "object.npz") as written:
        np.testing.assert_array_equal(written["object"], found.object)
        np.testing.assert_array_equal(written["residual"], found.residual)
    assert found.agrees.all()
    assert error_of(found.object, real_object) < 1e-3
    assert np.isrealobj(found.object)
    assert np.isnan(found.half_period), "three starts are too few for a resolution"


@pytest.mark.parametrize("solver", ['chain[stages="rrr[nonneg=true] + er[nonneg=true]"]', "deep_image_prior"])
def test_a_solver_of_nonnegative_objects_says_so_of_the_object(counts, solver):
    job = plan(prepare(np.load(counts)), select_backend("auto", "cpu", "float32", 1), solver=solver, starts=1)
    assert job.known.real
    assert job.known.measurement([0]).nonnegative.all()


def test_the_centre_is_a_pair_of_any_kind_and_nothing_else(counts):
    array, known = np.load(counts), {"object_shape": (9, 8), "solver": "er[iterations=2]", "starts": 1}
    off = reconstruct(np.roll(array, (1, -2), (0, 1)), centre=(13, 10), **known)
    for centre in ([13, 10], np.array([13, 10])):
        found = reconstruct(np.roll(array, (1, -2), (0, 1)), centre=centre, **known)
        np.testing.assert_array_equal(found.object, off.object)
    for centre in ((-1, 3), (1.5, 3), (1, 2, 3)):
        with pytest.raises(RequestError, match=r"--centre: .* is no place"):
            reconstruct(array, centre=centre, **known)


def test_a_pattern_that_is_too_large_is_refused_with_what_makes_it_smaller():
    with pytest.raises(RequestError, match=r"5000x6 is too large, 4096 along an axis at most: --crop .* --bin"):
        reconstruct(np.ones((5000, 6)), starts=1)


@pytest.mark.slow
def test_a_file_that_the_solver_reads_decides_its_starts(bench, counts, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from solvers import FilePath\n"
        "from solvers.projection.er import ErrorReduction\n"
        "class Mine(ErrorReduction):\n"
        "    name = 'mine'\n"
        "    summary = 'has a file'\n"
        "    prior: FilePath\n"
    )
    (tmp_path / "prior").write_text("one")
    solver = f"{tmp_path / 'mine.py'}[iterations=5,prior={tmp_path / 'prior'}]"
    command = ("reconstruct", counts, "--object", 9, "--solver", solver, "--starts", 1, "--output", tmp_path / "out")
    assert bench(*command).status == 0
    before = {path.name for path in (tmp_path / "out" / "starts").iterdir()}
    (tmp_path / "prior").write_text("another")
    assert bench(*command).status == 0
    assert {path.name for path in (tmp_path / "out" / "starts").iterdir()} - before


def test_a_complex_object_needs_no_word(rng):
    x = (0.5 + rng.random((9, 8))) * np.exp(1j * rng.random((9, 8)))
    support = np.ones((9, 8), dtype=bool)
    support[:4, :3] = x[:4, :3] = 0
    y = np.fft.fftshift(forward(x[None], (24, 24))[0])
    y[0, 3] = -1
    found = reconstruct(y, support=support, solver="rrr[iterations=600]", starts=3, mask=y != y.max())
    assert np.iscomplexobj(found.object)
    assert any("1 negative counts" in note for note in found.notes)
    assert found.intensities.shape == (24, 24)
    assert np.isnan(found.intensities).sum() == 1
    assert error_of(found.object, x) < 1e-2


def test_the_starts_of_a_label_are_the_starts(counts):
    y = np.load(counts)
    inside = reconstruct(y, object_shape=(9, 8), solver="er[nonneg=true,iterations=20,starts=3]", threads=1)
    beside = reconstruct(y, object_shape=(9, 8), solver="er[nonneg=true,iterations=20]", starts=3, threads=1)
    np.testing.assert_array_equal(inside.images, beside.images)
    np.testing.assert_array_equal(inside.iterations, 20)


def test_what_does_not_agree_is_told(counts):
    found = reconstruct(np.load(counts), object_shape=(12, 12), solver="er[iterations=1]", starts=3)
    assert found.agrees.sum() == 1
    assert "no two starts agree" in found.warnings[-1]
    assert np.isnan(found.half_period)


# ---- files


@pytest.mark.parametrize("kind", ["npz", "tif", "h5", "stack"])
def test_a_pattern_is_read_from_any_file(bench, counts, tmp_path, kind):
    y = np.load(counts)
    options = []
    if kind == "npz":
        np.savez(tmp_path / "p.npz", dark=0 * y, counts=y)
        path = f"{tmp_path / 'p.npz'}:counts"
    elif kind == "tif":
        Image.fromarray(y).save(tmp_path / "p.tif")
        path = tmp_path / "p.tif"
    elif kind == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "p.cxi", "w") as file:
            file["entry/data"], file["entry/time"] = y, 3.0
            file["entry/mask"] = y > 0
        path = f"{tmp_path / 'p.cxi'}:/entry/data"
    else:
        np.save(tmp_path / "stack.npy", np.stack([0 * y, y, 2 * y]))
        path, options = tmp_path / "stack.npy", ["--slice", 1]
    out = tmp_path / "out"
    command = ("--object", 9, "--solver", "er[nonneg=true,iterations=20]", "--starts", 2, "--output", out)
    done = bench("reconstruct", path, *options, *command)
    assert done.status == 0, done.err
    other = tmp_path / "other"
    assert bench("reconstruct", counts, *command[:-1], other).status == 0
    digests = [json.loads((folder / "manifest.json").read_text())["pattern_sha256"] for folder in (out, other)]
    assert digests[0] == digests[1]


BAD = {
    "line": (lambda y: y[0], "a pattern is (rows, columns)"),
    "stack": (lambda y: np.stack([y, y]), "holds 2 patterns: choose one with --slice, 0 to 1"),
    "nothing": (lambda y: np.zeros((0, *y.shape)), "holds no pattern: its shape is (0, "),
    "complex": (lambda y: y * 1j, "real numbers are expected"),
    "dark": (lambda y: 0 * y, "the pattern is dark"),
    "unmeasured": (lambda y: y * np.nan, "all of it is masked"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_holds_no_pattern_is_refused_in_one_line(bench, counts, tmp_path, kind):
    change, message = BAD[kind]
    np.save(tmp_path / "bad.npy", change(np.load(counts)))
    done = bench("reconstruct", tmp_path / "bad.npy", "--output", tmp_path / "out")
    assert done.status == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_damaged_coloured_or_missing_file_is_refused(bench, counts, tmp_path):
    Image.fromarray(np.load(counts)).save(tmp_path / "whole.tif")
    (tmp_path / "half.tif").write_bytes((tmp_path / "whole.tif").read_bytes()[:1500])
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "colour.png")
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "colour.tif")
    (tmp_path / "notes.txt").write_text("to do")
    (tmp_path / "notes.png").write_text("to do")
    for name, message in (
        ("half.tif", "cannot be read"),
        ("colour.png", "has colours"),
        ("colour.tif", "has colours"),
        ("none.npy", "cannot be read"),
        ("notes.txt", "is no image"),
        ("notes.png", "notes.png cannot be read: it is no picture, whatever its name ends in"),
    ):
        done = bench("reconstruct", tmp_path / name, "--output", tmp_path / "out")
        assert done.status == 2, name
        assert message in done.err
        assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--mask", "--support"])
def test_a_mask_that_is_neither_zero_nor_a_number_in_places_is_refused(bench, counts, tmp_path, option):
    mask = np.ones((40, 40))
    mask[3, 4] = np.nan
    np.save(tmp_path / "mask.npy", mask)
    done = bench("reconstruct", counts, option, tmp_path / "mask.npy", "--output", tmp_path / "out")
    assert done.status == 2
    told = "has NaN in places: write zero or another number there"
    assert done.err == f"bench: {option}: {tmp_path / 'mask.npy'} {told}\n"
    assert not (tmp_path / "out").exists()
    with pytest.raises(RequestError, match=f"the {option[2:]} {told}"):
        reconstruct(np.load(counts), **{option[2:]: mask})


def test_an_hdf5_file_without_a_path_is_answered_with_those_there_are(bench, counts, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "p.h5", "w") as file:
        file["entry/data"], file["entry/mask"] = np.load(counts), np.load(counts) > 0
    done = bench("reconstruct", tmp_path / "p.h5", "--output", tmp_path / "out")
    assert done.status == 2
    assert "/entry/data, /entry/mask" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--mask", "wrong.npy"), "has the shape (3, 3), the pattern (24, 24)"),
        (("--mask", "missing.npy"), "cannot be read"),
        (("--object", "30x9"), "an object of 30x9 does not fit on a grid of 24x24"),
        (("--object", "big"), "--object: 'big' is no size"),
        (("--crop", "30"), "--crop 30x30 is larger"),
        (("--centre", "left"), "--centre: 'left' is no place"),
        (("--bin", "0"), "--bin: 0 is not positive"),
        (("--beamstop", "-1"), "--beamstop: -1.0 is no radius"),
        (("--beamstop", "40"), "half of it is needed"),
        (("--starts", "0"), "--starts: 0 is out of range"),
        (("--seed", "-1"), "--seed: a seed must not be negative"),
        (("--slice", "1"), "holds one pattern"),
        (("--solver", "magic"), "unknown solver 'magic'"),
        (("--solver", "er[starts=many]"), "starts"),
        (("--solver", "er[starts=3]", "--starts", "4"), "--starts 4, but the solver has starts=3"),
        (("--solver", 'chain[stages="er + er",starts=6,mean=6]'), "leave 'mean' out of the label"),
        (("--solver", "pnp[starts=6,agree=true]"), "leave 'agree' out of the label"),
        (("--crop", "1"), "--crop 1x1 leaves less than 2x2"),
        (("--crop", "4", "--bin", "3"), "--crop 4x4 and --bin 3 leaves less than 2x2"),
        (("--support", "wrong.npy", "--object", "9"), "--object 9x9, but the support is 3x3"),
    ],
)
def test_an_option_that_cannot_be_is_refused_and_nothing_is_written(
    bench, counts, tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    np.save("wrong.npy", np.ones((3, 3), dtype=bool))
    done = bench("reconstruct", counts, *options, "--output", "out")
    assert done.status == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_large_object_and_a_wrong_centre_are_warned_of(bench, counts, tmp_path):
    command = ("--solver", "er[iterations=5]", "--starts", 2, "--output", tmp_path / "out")
    done = bench("reconstruct", counts, "--object", 20, "--centre", "corner", *command)
    assert done.status == 0
    assert "warning: an object of 20x20 is larger than half of the grid of 24x24" in done.err
    assert "--centre 12,12 or --centre auto" in done.err


def test_an_estimate_without_the_zero_frequency_is_warned_of(bench, counts, tmp_path):
    command = ("reconstruct", counts, "--solver", "er[iterations=2]", "--starts", 1, "--beamstop", 1.5)
    assert "give its --object" in bench(*command, "--output", tmp_path / "one").err
    assert "give its --object" not in bench(*command, "--object", 9, "--output", tmp_path / "two").err


def test_early_estimates_of_shrink_wrap_are_warned_of(counts):
    quick = {"object_shape": (9, 8), "starts": 1}
    found = reconstruct(np.load(counts), solver="er[support=shrinkwrap,iterations=5]", **quick)
    assert "shrinkwrap[keep=last] keeps the last one" in found.warnings[0]
    found = reconstruct(np.load(counts), solver='er[support="shrinkwrap[keep=last]",iterations=5]', **quick)
    assert not found.warnings


# ---- solvers


class Failing(ErrorReduction):
    name = "failing"
    summary = "raises an error"

    def step(self, x, block):
        raise ZeroDivisionError("no light")


def test_a_solver_that_fails_is_named(bench, counts, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Failing)
    done = bench("reconstruct", counts, "--object", 9, "--solver", "failing", "--output", tmp_path / "out")
    assert done.status == 3
    assert "solver 'failing' failed: ZeroDivisionError: no light" in done.err


def test_a_solver_that_fails_at_once_leaves_the_folder_to_another(bench, counts, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Failing)
    given = ("reconstruct", counts, "--object", "9x8", "--starts", 1, "--output", tmp_path / "out")
    assert bench(*given, "--solver", "failing").status == 3
    assert bench(*given, "--solver", "er[nonneg=true,iterations=2]").status == 0


def test_a_network_says_that_it_was_trained_on_something_else(bench, counts, tmp_path):
    done = bench("reconstruct", counts, "--solver", "unet_a", "--output", tmp_path / "out")
    assert done.status == 2
    assert "unet_a was trained on real, frame 42x42, grid 96x96, not on complex" in done.err
    assert not (tmp_path / "out").exists()


def test_a_network_says_that_it_computes_in_float32(bench, counts, tmp_path):
    given = ("--real", "--precision", "float64", "--output", tmp_path / "out")
    done = bench("reconstruct", counts, "--solver", "pnp", *given)
    assert done.status == 2
    assert "--solver: pnp computes in float32, not in float64" in done.err


@pytest.mark.slow
def test_a_plug_in_runs_in_a_process_of_its_own(bench, counts, tmp_path, monkeypatch):
    (tmp_path / "plugged.py").write_text(
        "import os\n"
        "from solvers.projection.er import ErrorReduction\n"
        "class Plugged(ErrorReduction):\n"
        "    name = 'plugged'\n"
        "    summary = 'writes down where it runs'\n"
        "    def solve(self, measurement, rng):\n"
        f"        open({str(tmp_path / 'where')!r}, 'w').write(str(os.getpid()))\n"
        "        return super().solve(measurement, rng)\n"
    )
    announce(tmp_path, "plugged", "plugged:Plugged")
    monkeypatch.syspath_prepend(str(tmp_path))
    done = bench(
        "reconstruct", counts, "--object", 9, "--solver", "plugged[iterations=5]", "--starts", 2,
        "--output", tmp_path / "out",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert (tmp_path / "where").read_text() != str(os.getpid())


def test_the_default_solver_wraps_its_support_and_keeps_the_last_estimate():
    solver = create(SOLVER)
    assert solver.label == SOLVER
    assert solver.support.keep == "last"


# ---- measured data


@measured
def test_the_starts_on_a_measured_pattern_agree_on_a_compact_object():
    found = reconstruct(np.asarray(Image.open(BRAGG)), crop=(128, 128), starts=8, threads=1)
    assert found.agrees.all()
    assert found.residual.min() < 0.2
    assert 500 < found.support.sum() < 1200
    assert 1 <= found.half_period < 4
    assert not found.warnings


@pytest.mark.slow
@measured
@pytest.mark.filterwarnings("error::UserWarning")
def test_a_published_benchmark_is_solved_in_about_as_many_iterations_as_by_its_own_program():
    """Their program took 71 iterations in the mean over 20 trials."""
    found = trials(DATA / "data100E", 4, limit=1000)
    assert found.solved == 4
    assert 30 < found.mean < 160


@measured
def test_a_published_benchmark_file_is_a_pattern(bench, tmp_path):
    solver = 'rrr[nonneg=true,beta=0.5,iterations=300,tolerance=0.15,support="largest[pixels=800]"]'
    options = ("--solver", solver, "--starts", 2, "--threads", 1, "--output", tmp_path / "out")
    done = bench("reconstruct", DATA / "data100E", *options)
    assert done.status == 0, done.err
    assert "2 of 2 starts agree" in " ".join(done.err.split())
    assert "the object may lie anywhere on the grid" in done.err


def test_an_image_that_is_zero_everywhere_is_no_reconstruction(bench, counts, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    output = tmp_path / "out"
    done = bench("reconstruct", counts, "--solver", "blank", "--object", "9x8", "--starts", "2", "--output", output)
    assert done.status == 3
    assert done.err.splitlines()[-1] == "bench: solver 'blank' gave an image that is zero everywhere"
    assert not (output / "object.npz").exists()


def test_a_reconstruction_that_is_stopped_says_that_it_goes_on(bench, counts, tmp_path, monkeypatch):
    def stopped(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.commands.reconstruct._solve", stopped)
    done = bench("reconstruct", counts, "--object", "9x8", "--output", tmp_path / "out")
    assert done.status == 130
    assert done.err.splitlines()[-1] == "bench: stopped; the same command goes on where it was"
