"""`bench compare`: what can be said of two solvers on the same images, and what cannot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows, write_run

from bench.report.finished import read_rows
from bench.score.by_image import on_common_measurements
from bench.score.statistics import holm, paired

LABELS = ["rrr[iterations=500,beta=0.5]", "hio[nonneg=true]", "er"]


@pytest.fixture
def write(tmp_path):
    """A run folder with these rows."""

    def call(*parts: pd.DataFrame, folder: str = "run"):
        return write_run(tmp_path / folder, pd.concat(parts, ignore_index=True))

    return call


@pytest.fixture
def errors():
    """Errors of three solvers on 40 images: the second is worse by 0.02, the third like the first."""
    rng = np.random.default_rng(3)
    first = rng.random(40) / 2
    return [first, first + 0.02 + 0.01 * rng.random(40), first + 0.05 * rng.standard_normal(40).clip(-1, 1) ** 3 + 0.3]


@pytest.fixture
def run(write, errors):
    return write(*(result_rows(label, values) for label, values in zip(LABELS, errors, strict=True)))


def test_every_pair_of_solvers_is_compared_image_by_image(bench, run, errors, tmp_path):
    assert bench("compare", run, "--csv", tmp_path / "tables" / "pairs.csv").status == 0
    table = pd.read_csv(tmp_path / "tables" / "pairs.csv")
    assert list(zip(table["a"], table["b"], strict=True)) == [
        (LABELS[0], LABELS[1]),
        (LABELS[0], LABELS[2]),
        (LABELS[1], LABELS[2]),
    ]
    expected = paired(errors[0], errors[1])
    first = table.iloc[0]
    for column in ("images", "difference", "low", "high", "win_rate"):
        assert first[column] == pytest.approx(getattr(expected, column), rel=1e-5)
    np.testing.assert_allclose(table["p_holm"], holm(table["p"]), rtol=1e-4)
    assert first["mse_a"] == pytest.approx(errors[0].mean(), rel=1e-5)


def test_solvers_are_found_however_they_are_spelled(bench, write, errors, tmp_path):
    before = write(result_rows("rrr[ beta = 0.60 , nonneg=True]", errors[0]), folder="before")
    after = write(result_rows("rrr[nonneg=true]", errors[1]), folder="after")
    done = bench("compare", before, after, "--solvers", "rrr[nonneg=true,iterations=1000]", "--csv", tmp_path / "p.csv")
    assert done.status == 0, done.err
    assert pd.read_csv(tmp_path / "p.csv")["a"].tolist() == ["rrr[nonneg=true]"]


def test_two_spellings_in_one_run_are_one_solver_and_one_that_is_not_here_keeps_its_label(write, errors):
    labels = ("rrr", "rrr[beta=0.6]", "gone[ b = 1 ]")
    rows = read_rows(write(*(result_rows(label, errors[0]) for label in labels)))
    assert rows["solver"].unique().tolist() == ["rrr", "gone[ b = 1 ]"]
    assert len(rows) == 2 * len(errors[0])


def test_it_is_shown_in_80_columns(bench, run, errors):
    shown = bench("compare", run).out
    assert max(len(line) for line in shown.splitlines()) <= 80
    for label in LABELS:
        assert label in shown
    assert "none, 40 images" in shown
    assert f"{np.mean(errors[0] - errors[1]):+.4f}" in shown
    assert "<1e-4" in shown
    assert "100%" in shown


def test_some_solvers_and_variants_can_be_chosen(bench, write, errors, tmp_path):
    run = write(*(result_rows(label, errors[0], variant=variant) for variant in ("none", "flip") for label in LABELS))
    chosen = f"{LABELS[2]},{LABELS[0]}"
    assert bench("compare", run, "--solvers", chosen, "--variants", "flip", "--csv", tmp_path / "c.csv").status == 0
    table = pd.read_csv(tmp_path / "c.csv")
    assert table[["variant", "a", "b"]].to_numpy().tolist() == [["flip", LABELS[2], LABELS[0]]]


def test_seeds_of_an_image_are_averaged_first(errors):
    several = pd.concat([result_rows("er", errors[0] + shift, seed=seed) for seed, shift in enumerate((-0.01, 0.01))])
    (a, b) = on_common_measurements(several, result_rows("rrr", errors[1]), ["mse"])
    assert len(a) == 40
    np.testing.assert_allclose(a["mse"], errors[0])
    np.testing.assert_allclose(b["mse"], errors[1])


def test_each_noise_of_an_image_is_compared_with_itself(errors):
    """Two runs have the seeds 0 and 1, and 1 and 2: only what was measured with seed 1 can be compared."""
    first = pd.concat(
        [result_rows("er", errors[0], seed=0, noise="0"), result_rows("er", errors[1], seed=1, noise="1")]
    )
    second = pd.concat(
        [result_rows("er", errors[1], seed=1, noise="1"), result_rows("er", errors[0], seed=2, noise="2")]
    )
    a, b = on_common_measurements(first, second, ["mse"])
    np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(a["mse"], errors[1])


def test_two_runs_are_compared_solver_by_solver_where_they_have_the_same_images(bench, write, errors, tmp_path):
    before = write(result_rows("er", errors[0]), result_rows("gone", errors[0]), folder="before")
    after = write(result_rows("er", errors[1][:30]), result_rows("new", errors[0]), folder="after")
    done = bench("compare", after, before, "--csv", tmp_path / "c.csv")
    assert done.status == 0
    table = pd.read_csv(tmp_path / "c.csv")
    assert table[["a", "b", "images"]].to_numpy().tolist() == [["er", "er", 30]]
    assert table["difference"][0] == pytest.approx(np.mean(errors[1][:30] - errors[0][:30]), rel=1e-5)
    assert "gone" not in done.out


@pytest.mark.parametrize("second", [[], [("rrr", "")], [("er", "other noise")]])
def test_nothing_in_common_has_its_own_exit_status(bench, write, errors, second):
    folders = [write(result_rows("er", errors[0]), folder="one")]
    if second:
        folders.append(write(*(result_rows(s, errors[1], noise=noise) for s, noise in second), folder="two"))
    done = bench("compare", *folders)
    assert done.status == 4
    assert done.out == ""
    assert done.err.startswith("bench: nothing to compare")
    assert done.err.count("\n") == 1


def test_failures_are_said(bench, write, errors):
    run = write(result_rows("er", errors[0]), result_rows("rrr", np.ones(40), status="failed"))
    assert "40 rows of solvers that failed" in " ".join(bench("compare", run).out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--solvers", "rrr"], ["'rrr'", "choose from", *LABELS]),
        (["--variants", "flip"], ["'flip'", "choose from", "none"]),
        (["--csv", "{run}"], ["{run}"]),
    ],
)
def test_what_is_not_there_is_named(bench, run, arguments, words):
    done = bench("compare", run, *(word.format(run=run) for word in arguments))
    assert done.status == 2
    assert done.err.count("\n") == 1
    for word in words:
        assert word.format(run=run) in done.err


def test_a_folder_without_a_run_is_named(bench, tmp_path):
    done = bench("compare", tmp_path)
    assert done.status == 2
    assert "holds no finished run" in done.err


@pytest.mark.parametrize("column", ["mse", "image", "measurement"])
def test_a_run_without_a_column_is_damaged(bench, write, errors, column):
    done = bench("compare", write(result_rows("er", errors[0]).drop(columns=column)))
    assert done.status == 2
    assert "damaged" in done.err
    assert f"'{column}'" in done.err


# ---- pairs of one's choice, and more runs


def pairs_of(table: pd.DataFrame) -> list[list[str]]:
    return table[["a", "b"]].to_numpy().tolist()


def test_different_labels_of_two_runs_are_compared(bench, write, errors, tmp_path):
    before = write(result_rows("rrr", errors[0]), result_rows("er", errors[2]), folder="before")
    after = write(result_rows("rrr[beta=0.8]", errors[1]), result_rows("hio", errors[0]), folder="after")
    asked = ("--pair", "rrr=rrr[ beta = 0.80 ],er=hio", "--csv", tmp_path / "c.csv")
    done = bench("compare", before, after, *asked)
    assert done.status == 0, done.err
    table = pd.read_csv(tmp_path / "c.csv")
    assert pairs_of(table) == [["rrr", "rrr[beta=0.8]"], ["er", "hio"]]
    assert table["difference"].tolist() == pytest.approx(
        [np.mean(errors[0] - errors[1]), np.mean(errors[2] - errors[0])], rel=1e-5
    )
    np.testing.assert_allclose(table["p_holm"], holm(table["p"]), rtol=1e-4)
    assert "− rrr[beta=0.8]" in done.out
    assert f"'{before}'−'{after}'" in "".join(done.out.split())  # a line is folded where it is full


def test_chosen_pairs_of_one_run_are_compared_and_no_others(bench, run, tmp_path):
    asked = ("--pair", f"{LABELS[2]}={LABELS[0]}", "--pair", f"{LABELS[2]}={LABELS[1]}")
    assert bench("compare", run, *asked, "--csv", tmp_path / "c.csv").status == 0
    table = pd.read_csv(tmp_path / "c.csv")
    assert pairs_of(table) == [[LABELS[2], LABELS[0]], [LABELS[2], LABELS[1]]]
    assert "run_a" not in table


def test_of_several_runs_each_two_are_compared_and_corrected_together(bench, write, errors, tmp_path):
    folders = [write(result_rows("er", values), folder=f"run{n}") for n, values in enumerate(errors)]
    done = bench("compare", *folders, "--csv", tmp_path / "c.csv")
    table = pd.read_csv(tmp_path / "c.csv")
    assert table[["run_a", "run_b"]].to_numpy().tolist() == [
        [str(folders[a]), str(folders[b])] for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    np.testing.assert_allclose(table["p_holm"], holm(table["p"]), rtol=1e-4)
    assert "correction for 3" in " ".join(done.out.split())
    assert f"'{folders[1]}' − '{folders[2]}': none, 40 images" in " ".join(done.out.split())


def test_a_pair_without_a_common_measurement_is_said(bench, write, errors):
    run = write(result_rows("er", errors[0]), result_rows("rrr", errors[1]), result_rows("hio", errors[2], noise="x"))
    done = bench("compare", run, "--pair", "er=rrr,er=hio")
    assert done.status == 0
    assert "er and hio have no measurement in common" in done.out
    assert bench("compare", run, "--pair", "er=hio").status == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pair", "er"], ["cannot read 'er'", "er=rrr[beta=0.8]"]),
        (["--pair", "er=rrr=hio"], ["cannot read 'er=rrr=hio'"]),
        (["--pair", "er=er"], ["'er=er'", "name another one"]),
        (["--pair", "er=gone"], ["no solver 'gone'", "choose from"]),
        (["--pair", "er=rrr", "--solvers", "er"], ["leave out --solvers"]),
    ],
)
def test_a_pair_that_cannot_be_compared_is_one_line(bench, run, arguments, words):
    done = bench("compare", run, *arguments)
    assert done.status == 2
    assert done.err.count("\n") == 1
    for word in words:
        assert word in done.err
