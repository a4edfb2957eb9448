"""Where shards are solved changes no number; a worker that hangs is ended, and one that dies is replaced."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from doubles import Broken, register_solvers
from troubled import alive, calls, install

from bench.commands.executor import make_executor
from bench.commands.run import run_sweep
from bench.commands.status import State, inventory
from bench.errors import PACKAGES, Exit, RequestError
from bench.executors.inline import Inline
from bench.executors.processes import Processes
from bench.executors.task import CallError, Task, told
from bench.report.pictures import PICTURES
from bench.report.timing import single_images
from bench.request import Sweep, request
from bench.store.lock import holder
from bench.store.plan import shards
from bench.store.shard_file import read_header
from bench.sweep.shard import Shard, observe
from datasets import load_images
from datasets.problem import Problem
from solvers import Backend

CSV = ("summary.csv", "table1.csv", "table2.csv")


@pytest.fixture(autouse=True)
def _plugin(monkeypatch, tmp_path):
    """The troubled solver, known to this process and to those it starts."""
    monkeypatch.syspath_prepend(str(install(tmp_path / "site")))


@pytest.fixture
def notes(tmp_path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


LIMIT = 5.0  # seconds: more than a quick solver takes on a machine that is busy with other things


def sweep_of(*labels: str, **options):
    """A sweep with numpy: what a process without torch imports costs a third."""
    given = {
        "backend": "numpy",
        "images": 4,
        "shard": 2,
        "variants": ("none",),
        "dataset": "sample",
        "threads": 1,
    } | options
    return request(solvers=labels, **given)


def wait_until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_processes_change_no_number_and_are_kept_warm(tmp_path, notes):
    labels = ("er[iterations=20]", f"troubled[folder={notes}]")
    options = {"variants": ("none", "shift_flip"), "photons": 1e5}
    here = run_sweep(sweep_of(*labels, **options), tmp_path / "inline", figures=False)
    there = run_sweep(
        sweep_of(*labels, **options, executor="processes", workers=2), tmp_path / "processes", figures=False
    )
    pd.testing.assert_frame_equal(here.rows, there.rows)
    for name in CSV:
        assert (tmp_path / "inline" / name).read_bytes() == (tmp_path / "processes" / name).read_bytes()
    assert (tmp_path / "inline" / PICTURES).read_bytes() == (tmp_path / "processes" / PICTURES).read_bytes()
    pids = {pid for pid, _ in calls(notes)} - {os.getpid()}
    assert 1 <= len(pids) <= 2
    assert not any(alive(pid) for pid in pids)
    timing = pd.read_csv(tmp_path / "processes" / "timing.csv")
    assert set(timing["workers"]) == {2}
    assert set(pd.read_csv(tmp_path / "inline" / "timing.csv")["workers"]) == {1}


@pytest.mark.slow
def test_a_shard_that_takes_too_long_is_ended_and_the_others_are_not(tmp_path, notes):
    label = f"troubled[trouble=hang,at=2,folder={notes}]"
    sweep = sweep_of(label, images=6, executor="processes", timeout=LIMIT)
    result = run_sweep(sweep, tmp_path / "out", figures=False)
    assert result.status == Exit.SOLVER
    rows = result.rows.set_index("image")
    assert list(rows.index) == list(range(6))
    late = rows.loc[[2, 3]]
    assert set(late["status"]) == {"timeout"}
    assert set(late["reason"]) == {f"no result after {LIMIT:g} s"}
    assert set(late["mse"]) == {1.0}
    assert late["measurement"].str.len().eq(64).all()
    assert set(rows.drop([2, 3])["status"]) == {"stopped"}
    assert not any(alive(pid) for pid, _ in calls(notes))
    headers = [read_header(path.read_bytes()) for path in (tmp_path / "out" / "shards").iterdir()]
    (seconds,) = [header.timing.solve for header in headers if header.error]
    assert LIMIT <= seconds < LIMIT + 2


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_shard_one_retry_and_then_the_shard(tmp_path, notes):
    once, always = tmp_path / "once", tmp_path / "always"
    for folder in (once, always):
        folder.mkdir()
    labels = (f"troubled[trouble=die_once,folder={once}]", f"troubled[trouble=die,at=2,folder={always}]")
    result = run_sweep(sweep_of(*labels, executor="processes"), tmp_path / "out", figures=False)
    assert result.status == Exit.SOLVER
    rows = result.rows.set_index(["solver", "image"])
    assert set(rows.loc[labels[0], "status"]) == {"stopped"}
    assert [first for _, first in calls(once)] == ["0", "0", "2"]
    assert list(rows.loc[labels[1], "status"]) == ["stopped"] * 2 + ["failed"] * 2
    assert set(rows.loc[labels[1], "reason"]) == {"", "the worker process died twice: killed by SIGKILL"}
    assert [first for _, first in calls(always)] == ["0", "2", "2"]


@pytest.mark.slow
def test_a_worker_finds_its_modules_though_their_folder_has_a_colon_in_its_name(tmp_path):
    """In PYTHONPATH a colon ends a folder: the search path goes to the worker another way."""
    home = tmp_path / "at 9:41"
    home.mkdir()
    for package in PACKAGES:
        (home / package).symlink_to(ROOT / package)
    arguments = "--dataset sample --solvers er[iterations=1] --variants none --images 2 --threads 1 --no-figures"
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        *arguments.split(),
        "--timeout",
        "60",
        "--output",
        tmp_path / "out",
    ]
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "out" / "per_image.parquet")) == 2


def test_workers_share_the_processors_unless_threads_are_named():
    alone = Sweep(executor="processes").select_backend().threads
    assert Sweep(executor="processes", workers=alone).select_backend().threads == 1
    assert Sweep(executor="processes", workers=1024).select_backend().threads == 1
    assert Sweep(executor="processes", workers=2, threads=3).select_backend().threads == 3
    assert Sweep(executor="dask", dask_scheduler="tcp://somewhere:1").select_backend().threads == 1


def test_workers_that_cannot_start_are_an_error_of_one_line(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    shard = Shard(Problem(dataset="sample", variant="none"), "er", 0, 0, 2)
    with Processes(load_images("sample"), Backend()) as crew, pytest.raises(RequestError, match="exit status 1"):
        list(crew.run([shard]))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_run_that_is_stopped_leaves_no_process_and_a_folder_to_go_on_in(tmp_path, notes, number):
    output = tmp_path / "out"
    label = f"troubled[trouble=hang,at=2,folder={notes}]"
    arguments = ["--dataset", "sample", "--solvers", label, "--variants", "none", "--images", "4", "--shard", "2"]
    arguments += ["--backend", "numpy", "--threads", "1"]
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT / "tests"), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "run", *arguments, "--no-figures", "--output", output],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which tests in the background ignore
    )
    wait_until(lambda: len(calls(notes)) == 3)  # two shards, and the child of the second
    with pytest.raises(RequestError, match=f"in use by process {process.pid} on "):
        run_sweep(sweep_of("er"), output)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 130
        assert said.splitlines()[-1] == "bench: stopped; the same command goes on where it was"
        assert "Traceback" not in said
    wait_until(lambda: not any(alive(pid) for pid, _ in calls(notes)), 5)
    assert inventory(output).counts == {(label, "none"): {State.DONE: 1, State.MISSING: 1}}
    assert holder(output) is None


@pytest.mark.slow
def test_dask_changes_no_number_though_a_worker_is_killed(tmp_path, notes):
    from distributed import Client, LocalCluster

    labels = ("er[iterations=20]", f"troubled[folder={notes}]")
    options = {"variants": ("none", "shift_flip"), "photons": 1e5, "images": 8}
    here = run_sweep(sweep_of(*labels, **options), tmp_path / "inline", figures=False)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        killer = threading.Thread(target=lambda: (wait_until(lambda: calls(notes)), os.kill(victim, signal.SIGKILL)))
        (notes / "log").unlink()
        killer.start()
        sweep = sweep_of(*labels, **options, executor="dask", dask_scheduler=cluster.scheduler_address)
        there = run_sweep(sweep, tmp_path / "dask", figures=False)
        killer.join()
        assert not alive(victim)
        pids = {pid for pid, _ in calls(notes)}
        wait_until(lambda: not any(alive(pid) for pid in pids), 5)  # though the cluster goes on
    pd.testing.assert_frame_equal(here.rows, there.rows)
    for name in CSV:
        assert (tmp_path / "inline" / name).read_bytes() == (tmp_path / "dask" / name).read_bytes()


@pytest.mark.slow
def test_dask_is_started_here_where_no_scheduler_is_named(tmp_path):
    options = {"objects": ("real", "complex"), "keep": "1,2"}  # any image of the set may be the phase of another one
    here = run_sweep(sweep_of("er[iterations=5]", **options), tmp_path / "inline", figures=False)
    there = run_sweep(sweep_of("er[iterations=5]", **options, executor="dask"), tmp_path / "dask", figures=False)
    pd.testing.assert_frame_equal(here.rows, there.rows)
    assert (tmp_path / "inline" / PICTURES).read_bytes() == (tmp_path / "dask" / PICTURES).read_bytes()


@pytest.fixture
def light_cluster():
    """A scheduler and a worker in this process, which has imported all that they need."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        yield {"executor": "dask", "dask_scheduler": cluster.scheduler_address}


@pytest.mark.slow
def test_a_time_limit_holds_on_dask_as_well(tmp_path, notes, light_cluster):
    label = f"troubled[trouble=hang,at=0,folder={notes}]"
    result = run_sweep(sweep_of(label, timeout=LIMIT, **light_cluster), tmp_path / "out", figures=False)
    assert list(result.rows["status"]) == ["timeout"] * 2 + ["stopped"] * 2
    assert not any(alive(pid) for pid, _ in calls(notes))


def objects_of(shard, images, place):
    return observe(images, shard)[0]


@pytest.mark.parametrize(
    ("objects", "missing", "asked"), [("real", 0, 1), ("real,complex", 1, 2)], ids=["images", "phases"]
)
def test_dask_has_the_images_of_a_sweep_whichever_shards_are_missing(light_cluster, objects, missing, asked):
    images, sweep = load_images("sample"), sweep_of("er[iterations=1]", objects=objects, **light_cluster)
    plan = list(shards(sweep, sweep.problems(images)))
    with make_executor(sweep, images, Backend("numpy")) as place:
        (outcome,) = place.run([plan[missing]])
        assert not outcome.error
        np.testing.assert_array_equal(place.call(objects_of, plan[asked]), observe(images, plan[asked])[0])


@pytest.mark.parametrize("options", [{"executor": "inline"}, {"executor": "processes"}], ids=lambda o: o["executor"])
def test_a_shard_made_by_other_code_than_its_key_names_is_refused(tmp_path, monkeypatch, options):
    versions = map(str, itertools.count())  # never the same twice
    monkeypatch.setattr("bench.executors.code.code_digest", lambda kind: next(versions))
    with pytest.raises(RequestError, match="was run with other code or packages"):
        run_sweep(sweep_of("er[iterations=1]", **options), tmp_path / "out", figures=False)
    assert list((tmp_path / "out" / "shards").iterdir()) == []


FINE = Shard(Problem(dataset="sample", variant="none"), "troubled", 0, 0, 2)


def ask(shard, images, place):
    """The residuals that a solver says it has reached, and where it was asked."""
    _, measurement = observe(images, shard)
    found = place.ask(Task("solve", shard.solver, (measurement,), told(shard)))
    return os.getpid(), (found["found"] or {}).get("iterations"), found["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes", "dask"])
def test_a_solver_is_asked_where_shards_are_solved(executor, notes):
    label = f"troubled[folder={notes}]"
    images, shard = load_images("sample"), replace(FINE, solver=label)
    with make_executor(sweep_of("er[iterations=1]", executor=executor), images, Backend(precision="float64")) as place:
        owner, iterations, _ = place.call(ask, shard)
        assert list(iterations) == [1, 1]
        place.call(ask, shard)
        (outcome,) = place.run([shard])
        assert not outcome.error
    workers = {pid for pid, _ in calls(notes)}
    assert len(workers) == 1, "it is kept warm"
    assert (workers == {owner}) == (executor == "inline")


def test_an_error_of_a_solver_is_the_answer(monkeypatch):
    register_solvers(monkeypatch, Broken)
    with Inline(load_images("sample"), Backend()) as place:
        assert place.call(ask, replace(FINE, solver="broken"))[2].startswith("ZeroDivisionError: the [/dial]")


@pytest.mark.slow
@pytest.mark.parametrize(("what", "says"), [("die", "died: killed by SIGKILL"), ("hang", "no answer after 5 s")])
def test_a_call_that_brings_its_process_down_or_takes_too_long_is_an_error(what, says, notes):
    with Processes(load_images("sample"), Backend(), timeout=LIMIT) as crew:
        with pytest.raises(CallError, match=says):
            crew.call(ask, replace(FINE, solver=f"troubled[trouble={what},folder={notes}]"))
        assert not any(alive(pid) for pid, _ in calls(notes))
        assert list(crew.call(ask, FINE)[1]) == [1, 1]


@pytest.mark.slow
def test_a_solver_that_brings_its_process_down_after_the_sweep_leaves_the_run_whole(tmp_path, notes, monkeypatch):
    monkeypatch.setattr("bench.commands.run.single_images", single_images)
    label = f"troubled[trouble=die_alone,folder={notes}]"
    result = run_sweep(sweep_of(label, "er[iterations=5]", executor="processes"), tmp_path / "out")
    assert result.status == Exit.FINE
    timing = pd.read_csv(tmp_path / "out" / "timing.csv").set_index("solver")
    assert np.isnan(timing.loc[label, "latency_ms_median"])
    assert timing.loc["er[iterations=5]", "latency_ms_median"] > 0
    assert (tmp_path / "out" / "figures" / "gallery.png").is_file()


def test_a_run_that_is_finished_asks_no_scheduler(tmp_path):
    here = run_sweep(sweep_of("er[iterations=5]"), tmp_path / "out", figures=False)
    gone = sweep_of("er[iterations=5]", executor="dask", dask_scheduler="tcp://127.0.0.1:9")
    pd.testing.assert_frame_equal(run_sweep(gone, tmp_path / "out", figures=False).rows, here.rows)
