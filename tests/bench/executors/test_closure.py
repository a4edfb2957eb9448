"""The code that a result depends on: all of it, and nothing else."""

from __future__ import annotations

import pytest

from bench.executors.closure import closure, imports, modules_of


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Write modules into a folder on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**sources: str):
        for name, source in sources.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return tmp_path

    return write


def test_imports_are_seen_wherever_they_stand():
    source = b"import a.b as c\nfrom . import d\nfrom .e import f\ndef g():\n    from ..h import i\n"
    assert set(imports(source, "p.q")) == {"a.b", "p.q", "p.q.d", "p.q.e", "p.q.e.f", "p.h", "p.h.i"}


def test_imports_are_seen_in_every_kind_of_statement():
    heads = ["def f():", "async def f():", "class C:", "with x:", "match x:\n case 1:"]
    heads += ["if x:", "elif x:", "else:", "while x:", "else:", "for x in y:", "else:"]
    heads += ["try:", "except E:", "else:", "finally:", "try:", "except* E:"]
    source = "".join(f"{head}\n  import m{i}\n" for i, head in enumerate(heads))
    assert set(imports(source.encode(), "p")) == {f"m{i}" for i in range(len(heads))}


def test_a_change_anywhere_in_the_closure_changes_the_digest(site):
    folder = site(first="import second\n", second="def f():\n    import third\n", third="x = 1\n", other="y = 1\n")
    before = closure(["first"]).digest()
    (folder / "other.py").write_text("y = 2\n")
    assert closure(["first"]).digest() == before
    (folder / "third.py").write_text("x = 2\n")
    assert closure(["first"]).digest() != before


def test_modules_that_import_each_other_are_no_trouble(site):
    site(ping="import pong\n", pong="import ping\nimport not_there_at_all\n")
    assert set(closure(["ping"]).sources) == {"ping", "pong"}


def test_an_installed_package_stands_for_its_code_by_its_version(site):
    site(uses_numpy="import numpy.linalg\nimport json\n")
    code = closure(["uses_numpy"])
    assert set(code.sources) == {"uses_numpy"}
    assert set(code.versions) == {"numpy"}
    assert code.versions["numpy"].startswith("numpy ")


def test_every_module_of_a_package_counts_whatever_is_in_it(site):
    site(kit__deep__part="", kit__template="not python at all {{")
    assert modules_of("kit") == ["kit", "kit.deep.part", "kit.template"]
    assert set(closure(modules_of("kit")).sources) == {"kit.deep.part", "kit.template"}


def test_all_files_of_a_plug_in_count_wherever_they_lie_in_it(site):
    folder = site(kit____init__="", kit__solver="")
    (folder / "kit" / "tables").mkdir()
    (folder / "kit" / "tables" / "angles.csv").write_text("1\n")
    before = closure(modules_of("kit"), ["kit"]).digest()
    (folder / "kit" / "tables" / "angles.csv").write_text("2\n")
    assert closure(modules_of("kit"), ["kit"]).digest() != before


def test_weights_and_images_are_not_everybodys(site):
    assert not [
        name
        for name in closure(["bench.sweep.shard", "solvers.projection.rrr"]).data
        if "weights" in name or "sample" in name
    ]


def test_a_solver_depends_on_what_runs_it_and_not_on_what_draws_or_tabulates():
    found = set(closure(["bench.sweep.shard", "solvers.projection.rrr"]).sources)
    assert {
        "bench.sweep.shard",
        "bench.score.metrics",
        "solvers.projection.rrr",
        "solvers.iterative.loop",
        "datasets.measurement",
    } <= found
    assert not found & {
        "bench.report.figures",
        "bench.report.tables",
        "bench.commands.run",
        "bench.store.folder",
        "solvers.alm.solver",
        "solvers.training.trainer",
    }
