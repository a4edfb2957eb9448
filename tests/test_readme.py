"""What the README and the pages of docs/ print works as it is printed."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
import tomllib

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from networks import few_images

from bench.score.metrics import adjusted_mse
from bench.score.references import USES
from datasets import measure
from datasets.problem import Problem
from solvers import Backend, Streams
from solvers.labels import split_labels
from solvers.registry import canonical
from solvers.training.config import TrainingConfig
from solvers.training.trainer import train

README, *GUIDES = (path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))))
PRINTED = "\n".join((README, *GUIDES))


def block(language: str, containing: str) -> str:
    """The only code block in this language that contains a text."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", PRINTED, re.DOTALL) if containing in text]
    return found


@pytest.mark.slow
def test_the_example_of_a_solver_runs_as_it_is_printed(bench, rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(block("python", "class Mine"), encoding="utf-8")
    command = next(line for line in README.splitlines() if "bench run" in line and "./mine.py" in line)
    _, _, _, *arguments = shlex.split(command.replace("--images 64", "--images 2"))
    done = bench(*arguments, "--dataset", "sample", "--executor", "processes", "--no-figures", "--threads", 1)
    assert done.status == 0, done.err
    assert set(rows("runs/mine")["solver"]) == {"mine.py:Mine", "rrr[nonneg=true]"}
    verified = bench("verify", "--solvers", "./mine.py[iterations=30]")
    assert verified.status == 0, verified.out


@pytest.mark.slow
def test_the_example_of_a_method_for_one_image_keeps_the_contract(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zero.py").write_text(block("python", "class ZeroPhases"), encoding="utf-8")
    verified = bench("verify", "--solvers", "zero.py")
    assert verified.status == 0, verified.out


@pytest.mark.slow
def test_the_example_of_a_published_solver_installs_and_runs_as_it_is_printed(bench, run, rows, tmp_path, monkeypatch):
    pytest.importorskip("setuptools", minversion="61")
    folder, site = tmp_path / "mine", tmp_path / "site"
    folder.mkdir()
    project = block("toml", "[project.entry-points")
    (module,) = tomllib.loads(project)["tool"]["setuptools"]["py-modules"]
    assert f"`{module}.py`" in PRINTED
    said = re.search(r"The class then says[^.]*", PRINTED)[0]
    ours = block("python", "class Mine").partition('    """')
    fields = "".join(f"    {field}\n" for field in re.findall(r"`(\w+ = [^`]*)`", said))
    (folder / f"{module}.py").write_text(f"{ours[0]}{fields}\n{ours[1]}{ours[2]}", encoding="utf-8")
    (folder / "pyproject.toml").write_text(project, encoding="utf-8")
    offline = ("--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check")
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", site, folder],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert pip.returncode == 0, pip.stderr
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    listed = bench("list", "solvers")
    assert listed.status == 0
    assert "\nmine  …" in listed.out
    done = run(solvers="mine[iterations=3],er[iterations=3]", variants="none")
    assert done.status == 0, done.err
    errors = rows().groupby("solver")["mse"].apply(list)
    assert errors["mine[iterations=3]"] == pytest.approx(errors["er[iterations=3]"], rel=1e-3)
    monkeypatch.delitem(sys.modules, module)


def test_the_example_of_a_network_is_trained_as_it_is_printed(tmp_path):
    namespace = {}
    exec(block("python", "class MyNet"), namespace)
    mynet = namespace["MyNet"]
    plan = TrainingConfig(solver=mynet(width=8), output=tmp_path, epochs=1, batch=12, accelerator="cpu", threads=1)
    solver = mynet(width=8, weights=train(plan, few_images(), adjusted_mse))
    solver.prepare(Backend(), Problem(variant="shift_flip"))
    found = solver.solve(measure(np.ones((2, 42, 42))), Streams())
    assert np.isfinite(found.images).all()


def labels_in_print() -> list[str]:
    """Every label with a parameter in the README or docs/, and all that the results hold."""
    found = {text for text in re.findall(r"`([^`\n]*)`", PRINTED) if re.fullmatch(r"[a-z_]+\[[a-z_0-9=.,]+\]", text)}
    for path in (ROOT / "results").glob("*.toml"):
        found |= set(tomllib.loads(path.read_text(encoding="utf-8")).get("solvers", []))
    for path in (ROOT / "results").glob("*.csv"):
        table = pd.read_csv(path, comment="#")
        if "information" in table:
            table = table[table["information"] != USES]  # references, which are no solvers
        found |= set(table["solver"].dropna()) if "solver" in table else set(table.columns) - {"variant"}
    for options in re.findall(r"--solvers '([^']*)'", PRINTED):
        found |= set(split_labels(options))
    return sorted(found)


@pytest.mark.parametrize("label", [label for label in labels_in_print() if "mine" not in label])
def test_labels_in_print_are_canonical(label):
    assert canonical(label) == label
