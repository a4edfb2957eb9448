"""A solver runs where it finds no truth, and where it can do no harm: to the run, to other solvers, to the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from doubles import announce, result_rows
from troubled import alive

from bench.commands.run import Result, run_sweep
from bench.errors import Exit
from bench.executors.worker_process import WardenError
from bench.gate.baseline import Baseline, write_baseline
from bench.request import request
from solvers import Status

ER = "er[iterations=20]"


@pytest.fixture(autouse=True)
def _plugin(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(announce(tmp_path / "site", "hostile", "hostile:Hostile")))


@pytest.fixture
def notes(tmp_path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def run_it(tmp_path):
    """A sweep of these labels on two images, in worker processes."""

    def run(*labels: str, name: str = "out", **options: object) -> Result:
        given = {"images": 2, "variants": ("none",), "dataset": "sample", "executor": "processes"}
        given |= {"backend": "numpy", "threads": 1}  # without torch a process starts in a third of the time
        return run_sweep(request(solvers=labels, **given | options), tmp_path / name, figures=False)

    return run


def noted(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.is_file() else []


@pytest.mark.slow
def test_no_truth_lies_in_the_process_of_a_solver(run_it, notes):
    assert run_it(f"hostile[act=look_for_the_truth,folder={notes}]").status == Exit.FINE
    assert set(noted(notes)) == {"(2, 96, 96)"}, "the intensities, and its own empty images"


def test_the_score_is_not_where_a_solver_can_change_it(run_it):
    result = run_it("hostile[act=patch_the_score]")
    assert result.status == Exit.FINE
    assert set(result.rows["mse"]) == {1.0}


@pytest.mark.slow
def test_what_a_solver_does_to_its_process_no_other_one_feels(run_it):
    acts = ["hostile[act=patch_random_numbers]", "hostile[act=change_torch]"]
    alone = run_it(ER, "raar[iterations=20]", name="alone").rows
    beside = run_it(*acts, ER, "raar[iterations=20]").rows
    pd.testing.assert_frame_equal(beside[~beside["solver"].isin(acts)].reset_index(drop=True), alone)


@pytest.mark.slow
def test_what_shared_a_process_with_a_plug_in_is_not_taken_for_what_a_solver_gives_by_itself(run_it, monkeypatch):
    monkeypatch.setattr(np.random, "default_rng", np.random.default_rng)  # the plug-in patches it in this process
    act = "hostile[act=patch_random_numbers]"
    alone = run_it(ER, name="alone").rows
    run_it(act, ER, executor="inline")
    for executor in ("processes", "inline"):
        pd.testing.assert_frame_equal(run_it(ER, executor=executor).rows, alone)


ENDS = {
    "exit": "the worker process died twice: exit status 0",
    "quit": "SystemExit: 0",
    "interrupt": "KeyboardInterrupt",
    "real_time_signal": "the worker process died twice: killed by signal 40",
    "leave_a_child_and_die": "the worker process died twice: killed by SIGKILL",
    "leave_a_daemon_and_die": "the worker process died twice: killed by SIGKILL",
    "close_everything": "the worker process died twice: exit status 0",
}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_solvers_that_end_their_process_fail_and_the_others_go_on(run_it, notes, workers):
    labels = {f"hostile[act={act},folder={notes}]": reason for act, reason in ENDS.items()}
    result = run_it(*labels, ER, workers=workers)
    assert result.status == Exit.SOLVER
    rows = result.rows.groupby("solver").first()
    assert rows.loc[ER, "status"] == "stopped"
    assert {label: rows.loc[label, "reason"] for label in labels} == labels
    assert set(rows.loc[list(labels), "status"]) == {"failed"}
    assert len(noted(notes)) == 4, "each is tried twice"
    assert not any(alive(int(pid)) for pid in noted(notes))


@pytest.mark.slow
def test_a_daemon_ends_with_the_run(run_it, notes):
    assert run_it(f"hostile[act=leave_a_daemon,folder={notes}]").status == Exit.FINE
    (pid,) = noted(notes)
    assert not alive(int(pid))


@pytest.mark.slow
def test_a_call_that_holds_the_interpreter_does_not_outlive_a_killed_owner(tmp_path, notes):
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT / "tests"), str(ROOT)])
    label = f"hostile[act=hold_the_interpreter,folder={notes}]"
    arguments = ["--solvers", label, "--variants", "none", "--images", "2", "--dataset", "sample", "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "run", *arguments, "--no-figures", "--output", tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while not noted(notes):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (pid,) = noted(notes)
    while alive(int(pid)):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


MALFORMED = {
    "text_residual": "the solver returned 'residual' of type <U5: floating-point numbers are expected",
    "complex_residual": "the solver returned 'residual' of type complex128: floating-point numbers are expected",
    "huge_count": "the solver returned 'transforms' of type object: whole numbers are expected",
    "unsigned_count": "the solver returned 'transforms' that are negative or beyond 2^63",
    "negative_count": "the solver returned 'iterations' that are negative or beyond 2^63",
    "negative_residual": "the solver returned a negative residual",
    "list_of_objects": "the solver returned 'starts' that cannot be read as an array: not an array",
    "text_images": "the solver returned 'images' of type <U1: real or complex floating-point numbers are expected",
    "integer_images": "the solver returned 'images' of type int64: real or complex floating-point numbers are expected",
    "no_array": "the solver returned 'images' that cannot be read as an array: not an array",
    "short_status": "the solver returned a value of type list for a list of 2 values of 'status'",
    "unknown_status": f"the solver returned the unknown status 'brilliant': choose from {', '.join(Status)}",
    "number_as_status": f"the solver returned the unknown status 1: choose from {', '.join(Status)}",
    "dictionary": "solve() returned a value of type dict, not a Reconstruction",
}


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_malformed_result_fails_with_its_reason_and_the_others_go_on(run_it, executor):
    labels = {f"hostile[act={act}]": reason for act, reason in MALFORMED.items()}
    result = run_it(*labels, ER, executor=executor)
    assert result.status == Exit.SOLVER
    rows = result.rows.groupby("solver").first()
    assert rows.loc[ER, "status"] == "stopped"
    for label, reason in labels.items():
        assert rows.loc[label, "status"] == "failed"
        assert rows.loc[label, "reason"] == reason


@pytest.mark.slow
def test_what_a_solver_leaves_to_be_understood_is_taken_as_it_is_meant(run_it):
    acts = ("nan_images", "no_residual", "half_images", "long_images", "list_of_counts", "digest", "talk_out_of_turn")
    labels = {act: f"hostile[act={act}]" for act in acts}
    result = run_it(*labels.values(), ER)
    rows = result.rows.groupby("solver").first()
    for act in ("nan_images", "no_residual"):
        assert rows.loc[labels[act], "status"] == "diverged", "whatever the solver says"
    for act in ("half_images", "long_images", "list_of_counts"):
        assert rows.loc[labels[act], "status"] == "stopped"
    said = result.summary.set_index("solver")["information"]
    assert said[labels["half_images"]] == "nothing"
    assert rows.loc[labels["digest"], "reason"] == "what weights_digest() returned is a value of type int, not text"
    assert rows.loc[labels["talk_out_of_turn"], "status"] == "failed", "what it writes into open files is no answer"
    assert rows.loc[ER, "status"] == "stopped"


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_solver_that_cannot_say_what_it_uses_has_failed(run_it, executor):
    acts = {
        "information": "RuntimeError: no comment",
        "quit_instead_of_information": "SystemExit: 0",
        "no_information": "TypeError: information() returned NoneType, not Information",
    }
    labels = {f"hostile[act={act}]": reason for act, reason in acts.items()}
    result = run_it(*labels, executor=executor)
    assert result.status == Exit.SOLVER
    rows = result.rows.groupby("solver").first()
    assert set(rows["status"]) == {"failed"}
    for label, reason in labels.items():
        assert rows.loc[label, "reason"] == f"solver 'hostile' cannot say what it uses: {reason}"


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_text_that_no_file_takes_and_no_terminal_should_see_is_escaped_wherever_a_solver_puts_it(run_it, executor):
    result = run_it("hostile[act=odd_text]", ER, executor=executor)
    assert result.status == Exit.FINE
    row = result.rows.groupby("solver").first().loc["hostile[act=odd_text]"]
    assert row["weights"] == "\\ud800\\x1b[31m"
    assert row["information"] == "support: \\ud800\\x1b[31m"


# ---- a plug-in that ends its process where nothing is solved yet

SOURCE = """
import os, sys
from solvers import Information, Solver

class Sudden(Solver):
    name, summary = "sudden", "ends its process"

    def information(self):
        return Information()

    def solve(self, measurement, rng):
        os._exit(0)
"""
AT_IMPORT = SOURCE + "\nos._exit(0)\n"
IN_FILES = SOURCE + "\n    def files(self, problem=None):\n        os._exit(0)\n"
TRANSPARENT = """def solve(self, measurement, rng):
        from solvers import create
        er = create("er[iterations=1]")
        er.prepare(self.backend)
        return er.solve(measurement, rng)
"""
IN_INFORMATION = SOURCE.replace("return Information()", "os._exit(0)")


@pytest.fixture
def sudden(tmp_path, monkeypatch):
    """A plug-in with this source."""

    def install(source: str) -> None:
        site = announce(tmp_path / "sudden", "sudden", "sudden:Sudden")
        (site / "sudden.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))

    return install


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [AT_IMPORT.replace("os._exit", "sys.exit"), IN_FILES.replace("os._exit", "sys.exit"), "import a_module_not_here"],
    ids=["exit at import", "exit in files", "import"],
)
def test_a_plug_in_that_raises_is_a_failed_solver_and_no_bad_usage(sudden, bench, tmp_path, source):
    sudden(source.replace("def solve(self, measurement, rng):\n        sys.exit(0)", TRANSPARENT))
    for command in (
        ["run", "--solvers", "sudden", "--dataset", "sample", "--images", 2, "--output", tmp_path / "out"],
        ["verify", "--solvers", "sudden"],
    ):
        done = bench(*command)
        assert done.status == Exit.SOLVER, command
        said = " ".join((done.err + done.out).split())
        assert "cannot be imported" in said or "cannot say which files it reads" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("source", [AT_IMPORT, IN_FILES], ids=["import", "files"])
def test_a_plug_in_that_ends_its_process_has_failed_whatever_status_it_chose(sudden, bench, tmp_path, source):
    sudden(source)
    for command in (
        ["run", "--solvers", "sudden", "--dataset", "sample", "--images", 2, "--output", tmp_path / "out"],
        ["verify", "--solvers", "sudden"],
    ):
        done = bench(*command)
        assert done.status == Exit.SOLVER
        assert "the worker process died: exit status 0" in done.err + done.out
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_plug_in_that_ends_its_process_is_listed_with_that_reason(sudden, bench):
    sudden(IN_INFORMATION)
    done = bench("list", "solvers")
    assert done.status == Exit.FINE
    assert "the worker process died: exit status 0" in " ".join(done.out.split())
    assert "alm" in done.out


@pytest.mark.slow
def test_the_gate_does_not_pass_a_plug_in_that_ends_its_process(sudden, bench, tmp_path):
    rows = result_rows("sudden", np.array([0.5, 0.5]))
    header = {"solvers": ["sudden"], "variants": ["none"], "images": 2, "dataset": "sample"}
    write_baseline(Baseline(header, {}, "0", (), rows), tmp_path / "baseline.csv")
    sudden(AT_IMPORT)
    done = bench("check", "--baseline", tmp_path / "baseline.csv")
    assert done.status == Exit.SOLVER
    assert "missing" in done.out


@pytest.mark.slow
def test_verify_says_which_promise_was_asked_for_when_the_process_ended(sudden, bench):
    sudden(SOURCE)
    done = bench("verify", "--solvers", "sudden")
    assert done.status == Exit.SOLVER
    assert "prepares and solves the worker process died: exit status 0" in " ".join(done.out.split())


@pytest.mark.slow
def test_a_solver_that_ends_the_warden_of_all_workers_ends_the_run_and_says_so(run_it):
    with pytest.raises(WardenError, match="ended the warden of the workers: killed by SIGKILL") as failure:
        run_it("hostile[act=kill_the_warden]")
    assert failure.value.status == Exit.SOLVER


@pytest.mark.slow
def test_an_owner_that_only_measures_and_scores_needs_no_torch(tmp_path):
    options = "--dataset sample --solvers er[iterations=1] --images 2 --variants none --threads 1 --no-figures"
    arguments = ["bench", "run", *options.split(), "--output", str(tmp_path / "out")]
    program = (
        f"import sys; sys.argv = {arguments!r}\n"
        "from bench.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr
