"""The first screen names the best solver for each kind of information."""

from __future__ import annotations

import numpy as np
import pytest
from finished_runs import BOX, NONNEGATIVE, TRAINED, finished, solved

from bench.report.page.answer import answer
from bench.report.page.content import Content
from bench.report.page.runs import read_runs

LOW, MIDDLE, HIGH = np.full(8, 0.001), np.full(8, 0.2), np.full(8, 0.6)


def shown(folder, *parts, **ms):
    content = Content(read_runs([finished(folder, *parts, ms=ms or None)]))
    return answer(content)


def test_solvers_are_compared_with_those_that_use_the_same(tmp_path):
    found = shown(
        tmp_path / "run",
        solved("er", HIGH, BOX),
        solved("alm", MIDDLE, BOX),
        solved("rrr", LOW, NONNEGATIVE),
        solved("unet_a", MIDDLE, TRAINED),
    )
    best = {line["information"]: line["cells"][0] for line in found["table"]}
    assert {kind: cell["solver"] for kind, cell in best.items()} == {BOX: "alm", NONNEGATIVE: "rrr", TRAINED: "unet_a"}
    assert [kind for kind, cell in best.items() if cell["lowest"]] == [NONNEGATIVE]
    assert {kind for kind, cell in best.items() if cell["only"]} == {NONNEGATIVE, TRAINED}
    assert (best[BOX]["error"], best[BOX]["interval"]) == ("0.2000", "0.2000 to 0.2000")
    assert (best[NONNEGATIVE]["success"], best[BOX]["success"]) == ("100%", "0%")


def test_of_two_with_the_same_error_the_quicker_one_is_named(tmp_path):
    found = shown(tmp_path / "run", solved("er", LOW), solved("alm", LOW), solved("rrr", LOW), er=9.0, alm=3.0)
    (line,) = found["table"]
    assert line["cells"][0]["solver"] == "alm"
    assert line["cells"][0]["cost"] == "3.00 ms"


def test_each_problem_has_its_own_best_solver(tmp_path):
    found = shown(
        tmp_path / "run",
        *(solved("er", errors, variant=variant) for variant, errors in (("none", LOW), ("shift", HIGH))),
        *(solved("rrr", MIDDLE, variant=variant) for variant in ("none", "shift")),
        solved("unet_a", MIDDLE, TRAINED, variant="none"),
    )
    assert found["columns"] == ["none", "shift"]
    solvers = [[cell and cell["solver"] for cell in line["cells"]] for line in found["table"]]
    assert sorted(solvers, key=str) == [["er", "rrr"], ["unet_a", None]]


@pytest.mark.parametrize(("status", "information"), [("failed", ""), ("diverged", NONNEGATIVE), ("invalid", BOX)])
def test_a_solver_without_an_image_is_no_answer_however_quick_it_was(tmp_path, status, information):
    lost = solved("rrr", np.ones(8), information, status=status)
    found = shown(tmp_path / "run", solved("er", LOW), lost, er=9.0, rrr=0.1)
    assert [line["information"] for line in found["table"]] == [BOX]
    assert found["left_out"] == 1
    assert "er" in found["picture"]
    assert "rrr" not in found["picture"]


def test_a_solver_that_diverged_on_some_images_has_its_mean_error(tmp_path):
    rows = solved("rrr", [0.1] * 7 + [1.0], NONNEGATIVE).assign(status=["stopped"] * 7 + ["diverged"])
    found = shown(tmp_path / "run", solved("er", LOW), rows)
    best = {line["information"]: line["cells"][0]["error"] for line in found["table"]}
    assert best == {BOX: "0.0010", NONNEGATIVE: "0.2125"}
    assert found["left_out"] == 0


def test_where_every_solver_failed_there_is_no_answer_and_no_picture(tmp_path):
    found = shown(tmp_path / "run", solved("rrr", np.ones(8), "", status="failed"), rrr=0.1)
    assert found["table"] == []
    assert found["picture"] is None


def test_the_picture_is_left_out_where_no_time_is_known_and_tells_each_point_where_one_is(tmp_path):
    assert shown(tmp_path / "untimed", solved("er", LOW))["picture"] is None
    picture = shown(tmp_path / "timed", solved("er", LOW), solved("alm", HIGH), er=9.0, alm=3.0)["picture"]
    assert "<title>er: error 0.0010, 9.00 ms per image</title>" in picture
    assert "<title>alm: error 0.6000, 3.00 ms per image</title>" in picture


def test_one_image_has_no_interval(tmp_path):
    found = shown(tmp_path / "run", solved("er", [0.1]), er=1.0)
    assert found["one_image"]
    assert found["table"][0]["cells"][0]["interval"] == ""


def test_a_problem_on_which_every_solver_failed_has_its_empty_column(tmp_path):
    lost = solved("er", np.ones(8), "", variant="shift", status="failed")
    found = shown(tmp_path / "run", solved("er", LOW, variant="none"), lost)
    assert found["columns"] == ["none", "shift"]
    assert found["table"][0]["cells"][1] is None


def test_solvers_are_ranked_only_on_the_same_measurements(tmp_path):
    first = finished(tmp_path / "m1", solved("hio", LOW), solved("er", HIGH), ms={"hio": 1.0, "er": 1.0})
    second = finished(
        tmp_path / "m2", solved("hio", np.full(12, 0.3), seed=1, noise="another"), ms={"hio": 2.0, "er": 1.0}
    )
    found = answer(Content(read_runs([first, second])))
    assert found["columns"] == ["none, 8 images of m1, seed 0", "none, 12 images of m2, seed 1"]
    (line,) = found["table"]
    assert [cell["solver"] for cell in line["cells"]] == ["m1: hio", "m2: hio"]
    assert [cell["lowest"] for cell in line["cells"]] == [True, True]
    assert found["apart"]
    assert all(title in found["picture"] for title in found["columns"]), "no line leads from one run to the other"


def test_solvers_of_several_runs_on_the_same_measurements_are_ranked_together(tmp_path):
    runs = [finished(tmp_path / "m1", solved("er", HIGH)), finished(tmp_path / "m2", solved("alm", LOW, seed=1))]
    found = answer(Content(read_runs(runs)))
    assert found["columns"] == ["none"]
    assert [cell["solver"] for cell in found["table"][0]["cells"]] == ["m2: alm"]
    assert not found["apart"]


def test_within_a_merged_run_other_images_are_another_column(tmp_path):
    rows = (solved("er", HIGH), solved("alm", LOW, noise="other"), solved("rrr", MIDDLE, noise="third"))
    found = shown(tmp_path / "run", *rows)
    assert found["columns"] == [f"none, 8 images, seed 0 ({i})" for i in (1, 2, 3)]
    assert [cell["solver"] for cell in found["table"][0]["cells"]] == ["er", "alm", "rrr"]


@pytest.mark.parametrize("count", [1, 2])
def test_of_several_runs_a_solver_has_the_name_of_its_own(tmp_path, count):
    folders = [finished(tmp_path / f"run{i}", solved("er", LOW)) for i in range(count)]
    content = Content(read_runs(folders))
    called = [content.called(line) for line in content.lines]
    assert called == (["er"] if count == 1 else ["run0: er", "run1: er"])
