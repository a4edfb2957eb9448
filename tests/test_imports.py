"""The house has one staircase: bench → solvers → datasets, and so has each storey."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

STOREYS = {"bench": {"bench", "solvers", "datasets"}, "solvers": {"solvers", "datasets"}, "datasets": {"datasets"}}
BENCH = (
    "__main__ cli gpu_check commands gate reconstruction report store request executors sweep score given startup "
    "options errors"
)
SOLVERS = (
    "training prior composed learned projection alm single_image chunks iterative cuda compiled registry base labels "
    "backend files residual checkout errors"
)
ROOMS = {"bench": BENCH.split(), "solvers": SOLVERS.split()}  # from the roof down
HEAVY = ("torch", "pandas", "matplotlib", "pydantic", "scipy", "numpy", "pyarrow")


def files() -> list[Path]:
    return [path for package in STOREYS for path in sorted((ROOT / package).rglob("*.py"))]


def imported(source: str, package: str) -> set[str]:
    """The top-level packages that a module imports, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(package if node.level else (node.module or "").split(".")[0])
    return found


def rooms_imported(source: str, storey: str) -> set[str]:
    """The rooms of a storey that a module imports, wherever in the file it does so."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == storey and len(part) > 1 and part[1] in ROOMS[storey]}


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_never_point_upstairs(path):
    package = path.relative_to(ROOT).parts[0]
    upstairs = (imported(path.read_text(encoding="utf-8"), package) & STOREYS.keys()) - STOREYS[package]
    assert not upstairs, f"{package} must not import {upstairs}"


@pytest.mark.parametrize("storey", ROOMS)
def test_within_a_storey_imports_go_down_the_list_of_its_rooms(storey):
    rooms = ROOMS[storey]
    upstairs = [
        f"{path.relative_to(ROOT)} imports {storey}.{other}"
        for path in sorted((ROOT / storey).rglob("*.py"))
        if (room := path.relative_to(ROOT / storey).with_suffix("").parts[0]) != "__init__"
        for other in rooms_imported(path.read_text(encoding="utf-8"), storey)
        if rooms.index(other) < rooms.index(room)
    ]
    assert not upstairs


@pytest.mark.parametrize("storey", ROOMS)
def test_every_room_is_in_the_list(storey):
    there = {
        path.stem for path in (ROOT / storey).iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert there - {"__init__", "__main__"} == set(ROOMS[storey]) - {"__main__"}


def test_an_import_inside_a_function_is_seen():
    assert imported("def f():\n    from bench.score.metrics import register\n", "solvers") == {"bench"}


@pytest.mark.slow
def test_no_package_imports_the_tests():
    assert not [p for p in files() if imported(p.read_text(encoding="utf-8"), "") & {"tests", "oracles", "doubles"}]


def test_help_answers_without_a_heavy_import():
    program = (
        "import sys; sys.argv = ['bench', '--help']\n"
        "from bench.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: print('status', end.code)\n"
        f"print('heavy', sorted(set(sys.modules) & set({HEAVY!r})))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["status 0", "heavy []"]
