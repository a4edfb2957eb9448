"""Solvers by label, and those that other distributions bring."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from doubles import Blank

from solvers import FilePath, ParameterError, Solver, SolverError, UnknownSolverError, create
from solvers.labels import spelled, split_labels
from solvers.registry import BUILT_IN, canonical, information, names, parameters, solver_class

ITERATIVE = ("alm", "er", "hio", "raar", "difference_map", "rrr")


def test_the_iterative_solvers_are_there():
    assert set(ITERATIVE) <= set(names())


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_every_solver_is_named_as_it_is_called_and_describes_itself(name):
    kind = solver_class(name)
    assert issubclass(kind, Solver)
    assert kind.name == name
    assert kind.summary
    assert str(kind().information())
    assert all(parameter.description for parameter in parameters(kind))
    assert all(spelled(getattr(kind(), parameter.name)) == parameter.default for parameter in parameters(kind))


def test_a_label_sets_parameters():
    solver = create("rrr[beta=0.7, nonneg=true ,starts=4]")
    assert (solver.beta, solver.nonneg, solver.starts) == (0.7, True, 4)
    assert create("rrr") == create(" rrr[] ")
    assert create("rrr[beta=0.75,starts=2]") == create("rrr[starts=2,beta=0.75]") != create("rrr[starts=2]")


def test_what_is_not_given_is_written_as_none():
    assert create("unet_a[weights=none]").weights is None
    assert create("unet_a[weights=none]").label == "unet_a"


def test_a_solver_cannot_be_changed_once_it_is_made():
    solver = create("rrr")
    for name in ("beta", "memory"):
        with pytest.raises(AttributeError, match=rf"'{name}' cannot be set.*IterativeSolver \(begin, advance\)"):
            setattr(solver, name, 0.9)
    solver._memory = 3
    assert solver == create("rrr")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("alm,rrr", ["alm", "rrr"]),
        ("alm[rho=1,inner=3],rrr[beta=0.5,nonneg=true]", ["alm[rho=1,inner=3]", "rrr[beta=0.5,nonneg=true]"]),
        (" alm , ,rrr[ a = 1 , b = 2 ] ", ["alm", "rrr[ a = 1 , b = 2 ]"]),
        ("", []),
    ],
)
def test_commas_within_brackets_belong_to_a_label(text, labels):
    assert split_labels(text) == labels


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("rrrr", ["unknown solver 'rrrr'", "alm", "difference_map"]),
        ("", ["cannot read ''"]),
        ("rrr[beta=0.5", ["cannot read 'rrr[beta=0.5'"]),
        ("rrr[beta]", ["cannot read 'beta'", "parameter=value"]),
        ("rrr[beta=]", ["cannot read 'beta='"]),
        ("rrr[gamma=1]", ["'rrr' has no parameter 'gamma'", "beta", "starts"]),
        ("rrr[beta=0.5,beta=0.6]", ["'beta' is given twice"]),
        ("rrr[beta=2]", ["beta", "2"]),
        ("rrr[beta=0]", ["beta", "0"]),
        ("rrr[beta=many]", ["beta", "many"]),
        ("rrr[beta=nan]", ["beta", "nan"]),
        ("rrr[tolerance=inf]", ["tolerance", "inf"]),
        ("rrr[tolerance=-1]", ["tolerance", "-1"]),
        ("rrr[iterations=0]", ["iterations", "0"]),
        ("rrr[iterations=1.5]", ["iterations", "1.5"]),
        ("rrr[starts=0]", ["starts", "0"]),
        ("rrr[nonneg=perhaps]", ["nonneg", "perhaps"]),
        ("rrr[support=disc]", ["support", "disc", "box", "shrinkwrap"]),
        ("rrr[nonneg=true,real=false]", ["nonneg=true needs real=true"]),
        ("hio[beta=0]", ["beta", "0"]),
        ("raar[beta=1.1]", ["beta", "1.1"]),
        ("difference_map[beta=0]", ["beta", "zero"]),
        ("difference_map[beta=2]", ["beta", "2"]),
        ("alm[rho=0]", ["rho", "0"]),
        ("alm[rho=inf]", ["rho", "inf"]),
        ("alm[rho=0.2]", ["rho=0.2 is above rho_max=0.1"]),
        ("alm[growth=0.5]", ["growth", "0.5"]),
        ("alm[memory=-1]", ["memory", "-1"]),
    ],
)
def test_a_label_that_asks_for_nonsense_is_refused_in_one_line_with_the_value(label, words):
    with pytest.raises((ParameterError, UnknownSolverError)) as error:
        create(label)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_what_a_solver_uses_is_said():
    assert str(create("rrr[nonneg=true]").information()) == "support: box, real, nonnegative"
    assert str(create("rrr[real=false]").information()) == "support: box"


# ---- plug-ins

TOY = '''
"""A solver of another distribution: it returns its own autocorrelation's square root."""

import numpy as np

from solvers import Information, Reconstruction, Solver, Status


class Toy(Solver):
    name = "toy"
    summary = "inverts the magnitudes with all phases zero"
    power: float = 1.0

    def information(self):
        return Information()

    def solve(self, measurement, rng):
        images = np.fft.ifft2(np.sqrt(measurement.intensities) ** self.power).real
        ones = np.ones(len(measurement), dtype=np.int64)
        return Reconstruction(images, ones * 1.0, ones, ones, ones, [Status.STOPPED] * len(measurement))
'''


def install(site: Path, module: str, source: str, points: str) -> Path:
    """A distribution as pip would leave it: a module and its metadata."""
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[phasebench.solvers]\n{points}\n")
    return site


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a distribution for this process."""

    def add(module: str, source: str, points: str) -> None:
        install(tmp_path / "site", module, source, points)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        importlib.invalidate_caches()

    return add


def test_a_plug_in_is_found_by_its_entry_point(plugin):
    plugin("toy_one", TOY, "toy = toy_one:Toy")
    assert names()[-1] == "toy"
    assert create("toy[power=0.5]").power == 0.5
    with pytest.raises(ParameterError, match="choose from power"):
        create("toy[colour=red]")


def test_a_plug_in_cannot_take_the_name_of_a_built_in_solver(plugin):
    plugin("toy_two", TOY, "rrr = toy_two:Toy")
    assert names().count("rrr") == 1
    with pytest.raises(
        UnknownSolverError, match=r"'rrr' is built in, but plug-in 'rrr' \(toy_two:Toy of toy_two 1.0\)"
    ):
        create("rrr")
    assert create("er").name == "er"


@pytest.mark.parametrize(
    ("source", "point", "words"),
    [
        ("import a_package_that_is_not_here", "bad = toy_bad:Toy", "cannot be imported"),
        ("Toy = 3", "bad = toy_bad:Toy", "not a subclass"),
        ("", "bad = toy_bad:Toy", "cannot be imported"),
    ],
)
def test_a_plug_in_that_does_not_work_is_named(plugin, monkeypatch, source, point, words):
    monkeypatch.delitem(sys.modules, "toy_bad", raising=False)
    plugin("toy_bad", source, point)
    with pytest.raises(UnknownSolverError, match=words) as error:
        create("bad")
    assert "plug-in 'bad' (toy_bad:Toy of toy_bad 1.0)" in str(error.value)
    monkeypatch.delitem(sys.modules, "toy_bad", raising=False)


GOOD = TOY.replace("Toy", "Odd").replace('"toy"', '"odd"')


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise SystemExit(0)", ["cannot be imported", "SystemExit: 0"]),
        ("class Stop(BaseException): pass\nraise Stop('\x1b[31mred\\nlines')", ["cannot be imported", "Stop", "lines"]),
        (GOOD.replace('name = "odd"', ""), ["has no name"]),
        (GOOD.replace('name = "odd"', 'name: str = "odd"'), ["has no name"]),
        (GOOD.replace('name = "odd"', 'name = "even"'), ["has the name 'even'"]),
        (GOOD.replace('summary = "inverts the magnitudes with all phases zero"', ""), ["has no summary"]),
        (GOOD.replace('summary = "inverts the magnitudes with all phases zero"', "summary = 3"), ["has no summary"]),
        (GOOD.replace("def solve", "def resolve"), ["does not implement solve"]),
        (GOOD + "Odd.information = 3\n", ["a method for its information()"]),
        (GOOD + "Odd.files = ()\n", ["a method for its files()"]),
        (GOOD.replace("power: float", "backend: float"), ["parameter 'backend'", "something else"]),
        (GOOD.replace("power: float", "label: float"), ["parameter 'label'", "something else"]),
        ("from pydantic import Field\n" + GOOD.replace("= 1.0", "= Field(1.0, alias='p=1')"),
         ["parameter 'power'", "cannot write"]),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Field name:UserWarning")
def test_what_a_plug_in_lacks_is_said_in_one_line(plugin, monkeypatch, source, words):
    monkeypatch.delitem(sys.modules, "odd_one", raising=False)
    plugin("odd_one", source, "odd = odd_one:Odd")
    with pytest.raises(UnknownSolverError) as error:
        create("odd")
    message = str(error.value)
    assert message.startswith("plug-in 'odd' (odd_one:Odd of odd_one 1.0)")
    assert message.isprintable()
    for word in words:
        assert word in message
    monkeypatch.delitem(sys.modules, "odd_one", raising=False)


@pytest.mark.parametrize(
    ("source", "label", "words"),
    [
        (GOOD.replace("return Information()", "raise SystemExit(0)"), "odd", ["cannot say what it uses", "SystemExit"]),
        (GOOD.replace("return Information()", "return 3"), "odd", ["cannot say what it uses", "int"]),
        (GOOD.replace("power: float = 1.0", "power: float"), "odd", ["parameter 'power' has no default"]),
        (GOOD.replace("power: float = 1.0", "power: int = 'x'"), "odd", ["power = x"]),
        (GOOD + "Odd.__init__ = lambda self, **values: [][1]\n", "odd", ["cannot be made", "IndexError"]),
        (GOOD.replace("power: float = 1.0", "power: tuple[int, ...] = ()"), "odd[power=1]", ["power = 1"]),
        (GOOD.replace("power: float = 1.0", 'power: Annotated[float, AfterValidator(lambda x: 2 * x)] = 1.0')
         .replace("import numpy", "from typing import Annotated\nfrom pydantic import AfterValidator\nimport numpy"),
         "odd[power=3]", ["becomes another"]),
    ],
)  # fmt: skip
def test_a_plug_in_that_cannot_be_made_is_refused_in_one_line(plugin, monkeypatch, source, label, words):
    monkeypatch.delitem(sys.modules, "odd_one", raising=False)
    plugin("odd_one", source, "odd = odd_one:Odd")
    with pytest.raises(SolverError) as error:
        information(create(canonical(label)))
    message = str(error.value)
    assert "'odd" in message
    assert message.isprintable()
    for word in words:
        assert word in message
    monkeypatch.delitem(sys.modules, "odd_one", raising=False)


def test_two_plug_ins_of_one_name_are_both_refused(plugin):
    plugin("toy_three", TOY, "toy = toy_three:Toy")
    plugin("toy_four", TOY, "toy = toy_four:Toy")
    with pytest.raises(UnknownSolverError, match="more than one solver 'toy'") as error:
        create("toy")
    assert "toy_three:Toy" in str(error.value)
    assert "toy_four:Toy" in str(error.value)


# ---- files


def test_only_parameters_declared_as_files_are_files(tmp_path):
    class Filed(Blank):
        name = "filed"
        mask: FilePath | None = None
        dark: FilePath = Path("dark.npy")
        title: str = "mask.npy"

    assert Filed().named_files() == (Path("dark.npy"),)
    assert Filed(mask=tmp_path / "m").named_files() == (tmp_path / "m", Path("dark.npy"))
    assert Filed(mask="a b").label == 'filed[mask="a b"]'


@pytest.mark.parametrize("what", ["pipe", "folder", "device", "link to a pipe"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, what):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link to a pipe").symlink_to(tmp_path / "pipe")
    path = "/dev/zero" if what == "device" else tmp_path / what
    with pytest.raises(ParameterError, match="not a regular file") as error:
        create(f'unet_a[weights="{path}"]')
    assert str(path) in str(error.value)


@pytest.mark.slow
def test_an_installed_plug_in_runs_from_the_command_line(tmp_path):
    site = install(tmp_path / "site", "toy_solver", TOY, "toy = toy_solver:Toy")
    environment = os.environ | {"PYTHONPATH": str(site), "PHASEBENCH_OFFLINE": "1"}
    command = [sys.executable, "-m", "bench", "run", "--dataset", "sample", "--images", "3", "--variants", "none"]
    command += ["--solvers", "toy,toy[power=0.5]", "--no-figures", "--threads", "1", "--output", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    header, values = (tmp_path / "out" / "table1.csv").read_text().splitlines()
    assert header == "variant,toy,toy[power=0.5]"
    variant, *errors = values.split(",")
    assert variant == "none"
    assert all(0 < float(error) < 1 for error in errors)
