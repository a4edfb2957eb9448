"""What goes with the code: version, types, the script, citations, and the files of those who carry on."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml
from conftest import ROOT

import bench as package

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
BIBTEX = (ROOT / "references.bib").read_text(encoding="utf-8")
PACKAGES = ("bench", "solvers", "datasets")


def test_there_is_one_version(bench):
    version = PROJECT["project"]["version"]
    assert package.__version__ == version, "make install"
    assert CITATION["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert bench("--version").out == f"phasebench {version}\n"


def test_a_new_version_makes_no_result_anew():
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    assert not [path for path in files if PROJECT["project"]["version"] in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", PACKAGES)
def test_types_are_for_users_as_well(name):
    assert (ROOT / name / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"][name]


@pytest.mark.parametrize(("called", "shown"), [("/some/where/phasebench", "phasebench"), (None, "python -m bench")])
def test_the_script_is_the_same_program_under_its_own_name(called, shown):
    module, function = PROJECT["project"]["scripts"]["phasebench"].split(":")
    assert callable(getattr(importlib.import_module(module), function))
    program = f"import sys; sys.argv = [{called!r}, 'compare', '--help']; from {module} import {function}; {function}()"
    command = ["-c", program] if called else ["-m", "bench", "compare", "--help"]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(f"Usage: {shown} compare ")
    assert f"\n    {shown} compare runs/first\n" in done.stdout


# ---- citations


def test_the_citation_has_what_its_format_requires():
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["message"]
    assert CITATION["license"] == PROJECT["project"]["license"]
    for work in (CITATION, *CITATION["references"]):
        assert work["title"]
        assert all("name" in author or {"family-names", "given-names"} <= author.keys() for author in work["authors"])


def entries() -> dict[str, dict[str, str]]:
    """The fields of every entry in references.bib, by its key."""
    found = re.findall(r"^@(\w+)\{(\w+),\n(.*?)^\}$", BIBTEX, re.MULTILINE | re.DOTALL)
    return {key: dict(re.findall(r"^  (\w+) += \{(.*)\},$", body, re.MULTILINE)) for _, key, body in found}


def test_every_entry_is_whole():
    assert len(entries()) == BIBTEX.count("\n@")
    for key, fields in entries().items():
        assert {"author", "title", "year"} <= fields.keys(), key
        assert key == fields["author"].partition(",")[0].lower() + fields["year"]
        assert all(text.count("{") == text.count("}") for text in fields.values())


def sources() -> list[tuple[str, str]]:
    """(file, what a docstring of a solver names as its sources)."""
    found = []
    for path in sorted((ROOT / "solvers").rglob("*.py")):
        parts = re.findall(r"Sources?: (.*?)(?:\n\n|\"\"\")", path.read_text(encoding="utf-8"), re.DOTALL)
        found += [(path.name, " ".join(part.split())) for part in parts]
    return found


def test_every_source_of_a_solver_can_be_cited():
    known = [(fields["author"].partition(",")[0], fields["year"]) for fields in entries().values()]
    assert len(sources()) >= 8
    for file, text in sources():
        for year in re.findall(r"\b((?:19|20)\d\d)\)", text):
            assert any(author in text and of == year for author, of in known), (
                f"{file}: {year} is not in references.bib"
            )


# ---- those who carry on


def lint() -> list[str]:
    """The commands of `make lint`."""
    rule = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return [line.strip().replace("$(BIN)", ".venv/bin").removesuffix(" .") for line in rule[1].splitlines()]


def test_the_hooks_before_a_commit_are_the_commands_of_lint():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert sorted(hook["entry"].replace(" --force-exclude", "") for hook in hooks) == sorted(lint())
    assert {hook["language"] for hook in hooks} == {"system"}, "versions stand in constraints.txt alone"


def test_the_workflow_runs_what_every_change_must_pass():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    assert ".ci/run" in [step.get("run") for step in jobs["linux"]["steps"]]
    rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    commands = [shlex.split(step["run"]) for job in ("macos", "site") for step in jobs[job]["steps"] if "run" in step]
    assert all(command[0] == "make" and command[1] in rules for command in commands)
    lowest = PROJECT["project"]["requires-python"].removeprefix(">=")
    for job in (job for job in jobs.values() if any("run" in step for step in job["steps"])):
        (python,) = [step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
        assert python == lowest, "the oldest that is supported"
