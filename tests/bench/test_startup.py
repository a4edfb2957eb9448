"""However the command line is started, it ends with one of its own statuses: 1 is a regression and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from bench import startup
from bench.errors import PACKAGES, RequestError

GOOD = "run --dataset sample --solvers er[iterations=1] --variants none --images 2 --threads 1 --no-figures"


def shell(command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a command line, in which $bench is `python -m bench`."""
    given = os.environ | {"bench": f"{sys.executable} -m bench"} | environment
    return subprocess.run(["bash", "-c", command], cwd=cwd, env=given, capture_output=True, text=True, timeout=120)


# ---- streams


@pytest.mark.slow
@pytest.mark.parametrize("command", ["list solvers", "--help", "run --help", "compare {run}"])
def test_a_reader_that_goes_away_ends_a_command_quietly_as_it_ends_other_tools(tmp_path, command):
    make_run(tmp_path / "run")
    done = shell(f"$bench {command.format(run=tmp_path / 'run')} | true; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 141
    assert done.stderr == ""


def make_run(folder: Path) -> None:
    """The rows of two solvers, enough to fill a pipe's worth of lines."""
    import numpy as np
    import pandas as pd
    from doubles import result_rows, write_run

    rows = [result_rows(solver, np.linspace(0, 1, 9)) for solver in ("er", "hio", "rrr")]
    write_run(folder, pd.concat(rows, ignore_index=True))


def test_a_full_disk_below_standard_output_is_an_error_of_one_line():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = shell("$bench list variants > /dev/full")
    assert done.returncode == 2
    assert done.stderr == "bench: standard output cannot be written: No space left on device\n"


def test_whoever_opens_streams_hears_the_warnings_that_commands_say_in_words_of_their_own():
    """The two are asked for apart: a program that only wants its streams open keeps its warnings."""
    program = """
import warnings
import numpy as np
from bench.startup import leave_doubts_to_commands, open_streams
from datasets import measure
open_streams()
for _ in range(2):
    with warnings.catch_warnings(record=True) as heard:
        measure(np.ones((1, 8, 8)), grid=(12, 12))
    print(bool(heard))
    leave_doubts_to_commands()
"""
    done = shell(f"{sys.executable} -c '{program}'")
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_an_object_larger_than_half_of_the_grid_is_warned_of_in_one_line(tmp_path, executor):
    large = "--frame 28,30 --grid 32,64 --variants none,flip --seed 0,1"
    done = shell(f"$bench {GOOD} {large} --executor {executor} --output {tmp_path / 'out'} 2>&1", COLUMNS="200")
    assert done.returncode == 0
    assert "Warning" not in done.stdout
    for size in ("28x28", "30x30"):
        line = f"an object of {size} is larger than half of the grid of 32x32: the intensities do not determine it\n"
        assert done.stdout.count(line) == 1
    assert "grid of 64x64" not in done.stdout


@pytest.fixture(scope="module")
def heard(tmp_path_factory) -> bytes:
    """The summary of a run whose messages are read."""
    output = tmp_path_factory.mktemp("heard") / "out"
    assert shell(f"$bench {GOOD} --executor inline --output {output}").returncode == 0
    return (output / "summary.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "closed"),
    [("processes", ">&- 2>&- <&-"), ("inline", "2> >(true) | true"), ("inline", ">/dev/full 2>/dev/full")],
)
def test_a_run_that_nobody_listens_to_has_the_same_results(tmp_path, heard, executor, closed):
    output = tmp_path / "out"
    done = shell(f"$bench {GOOD} --executor {executor} --output {output} {closed}; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0
    assert (output / "summary.csv").read_bytes() == heard


def test_a_worker_whose_solver_prints_does_not_need_a_reader():
    chatty = (
        "from bench.startup import open_streams as o; o(reader_matters=False); print('x' * 10**6); print('still here')"
    )
    done = shell(f'{sys.executable} -c "{chatty}" | true; exit ${{PIPESTATUS[0]}}')
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["list solvers", "--help", "list nothing", "status --output /nowhere/é"])
@pytest.mark.parametrize(
    "locale", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_terminal_that_cannot_show_a_letter_shows_something_else(command, locale):
    done = shell(f"$bench {command}", **locale)
    assert done.returncode == (2 if "no" in command else 0)
    assert "internal error" not in done.stderr
    if command != "--help":  # which click writes in UTF-8 whatever the terminal says
        assert (done.stdout + done.stderr).isascii()


def test_no_bar_is_drawn_where_there_is_no_terminal(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = bench(*GOOD.split(), "--output", tmp_path / "out")
    assert done.status == 0
    assert "\x1b" not in done.err
    assert "━" not in done.err


# ---- memory and imports


def test_too_little_memory_is_an_error_of_one_line():
    done = shell("ulimit -v 300000; $bench list solvers")
    assert done.returncode == 2
    assert done.stderr.startswith("bench: the limit of 300000 kB on virtual memory is too low")
    assert done.stderr.count("\n") == 1


def test_a_package_that_cannot_be_imported_is_an_error_of_one_line(tmp_path):
    for name in ("typer", "pandas"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('a half of {name} is missing', name='{name}')\n")
        done = shell("$bench list solvers; $bench compare /nowhere/at/all", PYTHONPATH=str(tmp_path))
        assert done.returncode == 2
        assert f"a half of {name} is missing" in done.stderr
        assert "Traceback" not in done.stderr
        (tmp_path / f"{name}.py").unlink()


@pytest.mark.parametrize("ending", ["raise MemoryError", "raise SystemExit(1)", "class E(BaseException): ...\nraise E"])
def test_whatever_an_import_raises_the_status_is_not_that_of_a_regression(tmp_path, ending):
    (tmp_path / "pandas.py").write_text(ending + "\n")
    done = shell("$bench compare /nowhere/at/all", PYTHONPATH=str(tmp_path))
    assert done.returncode == 70
    assert done.stderr.startswith("bench: internal error, ")
    assert done.stderr.count("\n") == 1


# ---- other packages of the same names


@pytest.mark.parametrize("name", ["solvers", "datasets"])
def test_a_foreign_package_on_the_path_is_named_with_its_place(tmp_path, name):
    foreign = tmp_path / "site" / name
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("raise RuntimeError('it was imported')\n")
    elsewhere = f"{tmp_path / 'site'}{os.pathsep}{ROOT}"
    for command in ("list solvers", "--help", "check --baseline x"):
        done = shell(f"$bench {command}", cwd=tmp_path, PYTHONPATH=elsewhere)
        assert done.returncode == 2
        assert done.stderr.startswith(
            f"bench: the package '{name}' in '{foreign}' stands in the way of phasebench's own"
        )
        assert "environment of its own" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["solvers", "datasets"])
def test_a_package_that_was_installed_over_ours_is_named(tmp_path, name):
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        shutil.copy(ROOT / package / "__init__.py", tmp_path / package)
    for module in ("__main__", "startup", "errors"):
        shutil.copy(ROOT / "bench" / f"{module}.py", tmp_path / "bench")
    (tmp_path / name / "__init__.py").write_text('"""Something quite different."""\n')
    done = shell("$bench list solvers", cwd=tmp_path)
    assert done.returncode == 2
    assert f"another package '{name}' was installed over phasebench's own in '{tmp_path / name}'" in done.stderr


@pytest.mark.slow
def test_a_folder_that_is_no_package_does_not_stand_in_the_way(tmp_path):
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("")
    done = shell("$bench list variants", cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr


def test_windows_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(RequestError, match="Linux and macOS"):
        startup.require_a_place_to_work()


def test_the_door_is_open_here():
    startup.require_a_place_to_work()
