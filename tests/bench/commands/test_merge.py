"""`bench merge`: several runs as one that every other command reads, or a line that says why they are none."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import ClassVar

import pandas as pd
import pytest
from doubles import Blank, Broken, Interrupted, reconstruction_of, register_solvers, tree

from bench.commands.status import State, inventory
from bench.report.curves import read_curves
from bench.report.finished import read_rows
from bench.report.manifest import MANIFEST
from bench.report.timing import TIMING
from bench.store.folder import DATA, SUFFIX, read_claim
from bench.store.shard_file import decode, encode
from bench.sweep.rows import FILE, IDENTITY, REFERENCES_FILE

ER, HIO = "er[iterations=2]", "hio[iterations=2]"


@pytest.fixture
def merge(bench, tmp_path):
    """`bench merge` of runs in these folders into `both`."""
    return lambda *folders: bench("merge", *(tmp_path / one for one in folders), "--output", tmp_path / "both")


def refused(done, *words: str) -> None:
    assert done.status == 2, done
    assert done.err.count("\n") == 1
    for word in words:
        assert word in done.err


def sorted_rows(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(IDENTITY, ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("whole", "first", "second"),
    [
        ({"seed": "3,4"}, {"seed": 3}, {"seed": 4}),
        ({"solvers": f"{ER},{HIO}"}, {"solvers": ER}, {"solvers": HIO}),
        ({"variants": "none,flip"}, {"variants": "none"}, {"variants": "flip"}),
        ({"photons": "none,1e4"}, {"photons": "none"}, {"photons": "1e4"}),
        ({"images": 4}, {"images": 4}, {"images": 2}),
    ],
    ids=["seeds", "solvers", "variants", "photons", "images"],
)
def test_the_parts_of_a_sweep_are_together_what_one_run_of_all_would_be(
    run, merge, rows, tmp_path, whole, first, second
):
    for folder, options in (("whole", whole), ("one", first), ("other", second)):
        assert run(folder, **{"solvers": ER, "variants": "none", **options}).status == 0
    assert merge("one", "other").status == 0
    pd.testing.assert_frame_equal(sorted_rows(rows("both")), sorted_rows(rows("whole")))
    pd.testing.assert_frame_equal(read_rows(tmp_path / "both"), rows("both"))
    for table in ("table1.csv", "table2.csv"):
        assert (tmp_path / "both" / table).read_text() == (tmp_path / "whole" / table).read_text()
    summaries = [pd.read_csv(tmp_path / name / "summary.csv") for name in ("both", "whole")]
    by = ["solver", "variant", "photons"]
    pd.testing.assert_frame_equal(*(one.sort_values(by, ignore_index=True) for one in summaries))


@pytest.mark.slow
def test_a_curve_that_both_runs_have_timed_is_one_curve(run, merge, tmp_path):
    for name, more in (("one", ""), ("other", f",{HIO}")):
        run(name, solvers=f"er[iterations=40]{more}", variants="none", images=2, figures=True)
    assert merge("one", "other").status == 0
    for _, curve in read_curves(tmp_path / "both").groupby("solver"):
        assert curve["iterations"].is_monotonic_increasing
        assert curve["iterations"].is_unique


def test_runs_that_are_no_product_are_all_done(run, merge, tmp_path):
    run("one", solvers=ER, variants="none", images=5, seed=1)
    run("other", solvers=f"{HIO},{ER}", variants="flip", images=3, shard=3)
    merge("one", "other")
    found = inventory(tmp_path / "both")
    assert found.counts == {
        (ER, "none"): {State.DONE: 3},
        (HIO, "flip"): {State.DONE: 1},
        (ER, "flip"): {State.DONE: 1},
    }
    claim = read_claim(tmp_path / "both")
    assert (claim["solvers"], claim["variants"], claim["seeds"], claim["images"]) == (
        [ER, HIO],
        ["none", "flip"],
        [1, 0],
        5,
    )


def test_a_run_goes_on_in_a_merged_folder(run, merge, bench, rows, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Blank)
    run("one", solvers="blank", variants="none", seed=0)
    run("other", solvers="blank", variants="none", seed=1)
    merge("one", "other")
    monkeypatch.setattr(Blank, "asked", [])
    done = run("both", solvers="blank", variants="none", seed="0,1,2", images=2)
    assert Blank.asked == [(0, 1)], "of the seed that is new"
    assert "2 of 3 shards are finished already" in done.err
    assert sorted(rows("both")["seed"].unique()) == [0, 1, 2]


@pytest.mark.slow
def test_every_command_reads_a_merged_folder_and_it_can_be_merged_again(run, merge, bench, tmp_path):
    run("one", solvers=ER, variants="none")
    run("other", solvers=HIO, variants="none")
    merge("one", "other")
    assert "− hio" in bench("compare", tmp_path / "both").out
    made = tmp_path / "baseline.csv"
    assert bench("baseline", "--current", tmp_path / "both", "--output", made).status == 0
    gated = bench("check", "--baseline", made, "--current", tmp_path / "both")
    assert gated.out.count("unchanged on every image") == 6
    again = bench("merge", tmp_path / "both", tmp_path / "one", "--output", tmp_path / "again")
    assert again.status == 0
    assert (tmp_path / "again" / FILE).read_bytes() == (tmp_path / "both" / FILE).read_bytes()


def test_the_manifest_says_what_was_merged_and_vouches_for_every_table(run, merge, tmp_path):
    run("one", solvers=ER, variants="none")
    run("other", solvers=HIO, variants="none")
    (tmp_path / "one" / "shards" / f"{next((tmp_path / 'one' / 'shards').iterdir()).stem}.pictures").write_text("kept")
    merge("one", "other")
    made = json.loads((tmp_path / "both" / MANIFEST).read_text())
    sources = [json.loads((tmp_path / name / MANIFEST).read_text()) for name in ("one", "other")]
    assert [one["folder"] for one in made["merged"]] == [str(tmp_path / "one"), str(tmp_path / "other")]
    assert made["machine"] == sources[0]["machine"]
    assert made["solvers"] == sources[0]["solvers"] | sources[1]["solvers"]
    assert made["files"].keys() == sources[0]["files"].keys()
    assert list(pd.read_csv(tmp_path / "both" / TIMING)["solver"]) == [ER, HIO]
    assert len(list((tmp_path / "both" / "shards").glob("*.pictures"))) == 1, (
        "what was stored beside a shard comes along"
    )


def test_tables_that_only_some_runs_have_are_joined_line_by_line(run, merge, tmp_path):
    lines = {"one": [b"a", b"b"], "other": [b"b", b"c"], "third": None}
    for seed, (folder, pixels) in enumerate(lines.items()):
        run(folder, solvers=ER, variants="none", seed=seed, images=1, keep="0")
        if pixels:
            add_table(tmp_path / folder, "pictures.parquet", pd.DataFrame({"pixels": pixels}))
    assert merge(*lines).status == 0
    assert pd.read_parquet(tmp_path / "both" / "pictures.parquet")["pixels"].tolist() == [b"a", b"b", b"c"]
    assert "pictures.parquet" in json.loads((tmp_path / "both" / MANIFEST).read_text())["files"]


def add_table(folder, name: str, table: pd.DataFrame) -> None:
    """A table that the manifest of a finished run vouches for."""
    table.to_parquet(folder / name)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_equal_rows_twice_are_kept_once_and_shards_of_any_size_fit(run, merge, rows, tmp_path):
    run("one", solvers=ER, variants="none", images=5, shard=2)
    run("other", solvers=ER, variants="none", images=4, shard=4)
    assert merge("one", "other").status == 0
    assert list(rows("both")["image"]) == [0, 1, 2, 3, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both", "one", "other"], "nothing temporary is left"


class Moody(Blank):
    """Gives another image in another mood."""

    name = "moody"
    mood: ClassVar[int] = 1

    def solve(self, measurement, rng):
        images = 0.0 * super().solve(measurement, rng).images
        images[:, 20, : Moody.mood] = 1.0
        return reconstruction_of(measurement, images)


def test_rows_that_contradict_each_other_are_refused(run, merge, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Moody)
    for folder, mood in (("one", 1), ("other", 5)):
        monkeypatch.setattr(Moody, "mood", mood)
        run(folder, solvers="moody", variants="none")
    before = tree(tmp_path)
    refused(merge("one", "other"), "'moody' on none, image 0, seed 0, has the mse", "one'", "other'")
    assert tree(tmp_path) == before


@pytest.mark.slow
def test_a_shard_that_failed_gives_way_to_one_that_did_not(run, merge, rows, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Broken)
    run("failed", solvers="broken", variants="none")
    monkeypatch.setattr(Broken, "solve", Blank.solve)
    run("solved", solvers="broken", variants="none")
    for order in (("failed", "solved"), ("solved", "failed")):
        assert merge(*order).status == 0
        assert set(rows("both")["status"]) == {"stopped"}
        shutil.rmtree(tmp_path / "both")


def test_references_that_differ_in_their_last_digits_are_those_of_the_first_run(run, merge, tmp_path):
    options = {"variants": "none", "photons": "1e4", "references": "likelihood_limit", "images": 1}
    for folder, solver in (("one", ER), ("other", HIO)):
        assert run(folder, solvers=solver, **options).status == 0
    first = pd.read_parquet(tmp_path / "one" / REFERENCES_FILE)
    add_table(tmp_path / "other", REFERENCES_FILE, first.assign(mse=first["mse"] * (1 + 1e-9)))
    assert merge("one", "other").status == 0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "both" / REFERENCES_FILE), first)
    assert pd.read_csv(tmp_path / "both" / "summary.csv")["near_limit_rate"].notna().all()


def test_a_merged_run_of_an_older_version_can_be_merged_again(run, merge, bench, tmp_path):
    for folder, solver in (("one", ER), ("old", HIO), ("third", "raar[iterations=2]")):
        run(folder, solvers=solver, variants="none", images=1)
    manifest = json.loads((tmp_path / "old" / MANIFEST).read_text())
    del manifest[DATA]
    (tmp_path / "old" / MANIFEST).write_text(json.dumps(manifest))
    assert merge("one", "old").status == 0
    assert bench("merge", tmp_path / "both", tmp_path / "third", "--output", tmp_path / "all").status == 0


def test_a_merged_folder_says_which_references_and_pictures_there_are(run, merge, tmp_path):
    run("one", solvers=ER, variants="none", images=3, keep="2,")
    run("other", solvers=HIO, variants="none", images=3, references="oracle", photons="1e4", keep="1")
    assert merge("one", "other").status == 0
    claim = read_claim(tmp_path / "both")
    assert (claim["references"], claim["keep"]) == (["oracle"], [0, 2])


# ---- what is refused


def test_a_run_in_which_a_later_one_was_stopped_is_refused(run, merge, tmp_path, monkeypatch):
    register_solvers(monkeypatch, Interrupted)
    monkeypatch.setattr(Interrupted, "impatient", True)
    run("one", solvers=ER, variants="none")
    run("other", solvers=HIO, variants="none")
    assert run("one", solvers="interrupted", variants="none").status == 130
    refused(merge("one", "other"), f"a later run into '{tmp_path / 'one'}' was stopped")
    assert run("one", solvers=ER, variants="none").status == 0
    assert merge("one", "other").status == 0


def test_the_folder_that_one_is_in_is_refused(run, bench, tmp_path, monkeypatch):
    for folder, solver in (("one", ER), ("other", HIO)):
        run(folder, solvers=solver, variants="none", images=1)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    refused(bench("merge", "../one", "../other", "--output", "."), "is the folder that you are in")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("here")
    assert bench("merge", "one", "other", "--output", "link").status == 0
    assert (tmp_path / "link" / FILE).is_file()


def test_other_code_of_one_label_is_refused_by_name(run, merge, tmp_path, monkeypatch):
    run("one", solvers=f"{ER},{HIO}", variants="none")
    monkeypatch.setattr("bench.executors.code.code_digest", lambda kind: f"{kind.name:x<64}")
    run("other", solvers=ER, variants="flip")
    refused(merge("one", "other"), f"'{ER}' in", "one'", "other'", "differ in code", "erxxxxxxxxxx")


def test_other_weights_of_one_label_are_refused(run, merge, tmp_path, monkeypatch):
    run("one", solvers="unet_b", variants="flip", images=1)
    monkeypatch.setattr("bench.executors.code._file_digest", lambda path: "f" * 64)
    run("other", solvers="unet_b", variants="flip", images=1, seed=1)
    refused(merge("one", "other"), "'unet_b'", "a file that is read on", "ffffffffffff)")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision": "float64"}, "precision (float32 and float64)"),
        ({"backend": "numpy"}, "array library (torch and numpy)"),
        ({"split": "train"}, "split (test and train)"),
    ],
)
def test_other_data_or_arithmetic_is_refused(run, merge, options, words):
    run("one", solvers=ER, variants="none", backend="torch", images=1)
    run("other", **{"solvers": ER, "variants": "none", "images": 1, "backend": "torch", **options})
    refused(merge("one", "other"), f"'{ER}' in", f"differ in {words}")


def test_other_pixels_under_the_name_of_a_data_set_are_refused(run, merge, tmp_path, tiles):
    from PIL import Image

    for folder, tile in (("one", tiles[0]), ("other", tiles[1])):
        (tmp_path / "own").mkdir(exist_ok=True)
        Image.fromarray((255 * tile).astype("uint8")).save(tmp_path / "own" / "image.png")
        given = {"dataset": f"images[path={tmp_path / 'own'}]", "images": 1, "variants": "none", "solvers": ER}
        assert run(folder, **given).status == 0
    refused(merge("one", "other"), f"'{ER}' in", "differ in data (")


@pytest.mark.parametrize("spoil", ["gone", "damaged", "older", "edited"])
def test_a_run_that_is_not_whole_is_refused(run, merge, tmp_path, spoil):
    run("one", solvers=ER, variants="none")
    run("other", solvers=HIO, variants="none")
    shard = next((tmp_path / "one" / "shards").glob(f"*{SUFFIX}"))
    manifest = tmp_path / "one" / MANIFEST
    if spoil == "gone":
        shard.unlink()
    elif spoil == "damaged":
        shard.write_bytes(shard.read_bytes()[:-1])
    else:
        whole = json.loads(manifest.read_text())
        edited = {**whole, "solvers": {ER: 3}} if spoil == "edited" else {"files": whole["files"]}
        manifest.write_text(json.dumps(edited))
    refused(
        merge("one", "other"),
        str(shard if spoil in ("gone", "damaged") else tmp_path / "one"),
        "the same run into the same folder",
    )
    assert not (tmp_path / "both").exists()


def test_a_run_that_is_given_twice_is_refused(run, merge, bench, tmp_path):
    assert run("one", solvers=ER, variants="none").status == 0
    (tmp_path / "link").symlink_to(tmp_path / "one")
    for other in ("one", "link", "one/../one"):
        refused(merge("one", other), f"'{tmp_path / 'one'}' is given twice")
        refused(bench("compare", tmp_path / "one", tmp_path / other), "is given twice")
    assert not (tmp_path / "both").exists()


def test_what_stands_in_the_way_is_left_as_it_is(run, merge, bench, tmp_path):
    run("one", solvers=ER, variants="none", images=1)
    run("two", solvers=ER, variants="flip", images=1)
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "notes.txt").write_text("mine")
    refused(merge("one", "two"), "is not empty")
    (tmp_path / "both" / "notes.txt").unlink()
    assert merge("one", "two").status == 0, "an empty folder is as good as none"
    refused(bench("merge", tmp_path / "one", "--output", tmp_path / "c"), "at least two")
    refused(
        bench("merge", tmp_path / "one", tmp_path / "gone", "--output", tmp_path / "c"), "gone' holds no finished run"
    )
    refused(bench("merge", tmp_path / "one", tmp_path / "two", "--output", tmp_path / "one" / FILE), "is not a folder")


def test_a_shard_that_was_changed_after_its_run_contradicts_its_twin(run, merge, tmp_path):
    for folder in ("one", "other"):
        run(folder, solvers=ER, variants="none", images=1)
    path = next((tmp_path / "other" / "shards").iterdir())
    outcome = decode(path.read_bytes())
    outcome.rows["iterations"] = 77
    path.write_bytes(encode(outcome))
    refused(merge("one", "other"), "has the iterations 2 in", "and 77 in")
