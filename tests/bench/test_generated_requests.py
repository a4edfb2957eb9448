"""Bad command lines, configs, files and plug-ins by the hundred: one line, the right status, and never a traceback.

Each property is tried on 30 cases; GENERATED_CASES=1000 in the environment asks for another number.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from conftest import Finished
from doubles import Blank, result_rows, write_run
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bench.cli import main
from bench.gate.baseline import Baseline, write_baseline
from bench.request import Sweep
from bench.sweep.rows import FILE
from datasets import SPLITS, VARIANTS
from datasets.fashion_mnist import SAMPLE_FOLDER
from datasets.images import BUILT_IN as DATASETS
from datasets.problem import read_photons
from solvers import SolverError, create
from solvers.labels import split_labels
from solvers.registry import BUILT_IN, solver_class

# A process cannot be given a NUL, and its other arguments must be encodable.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
CASES = int(os.environ.get("GENERATED_CASES", "30"))
many = settings(max_examples=CASES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@pytest.fixture(autouse=True, scope="module")
def _elsewhere(tmp_path_factory):
    """What a command writes in spite of all goes into a folder of its own."""
    with contextlib.chdir(tmp_path_factory.mktemp("elsewhere")):
        yield


def bench(*arguments: object) -> Finished:
    """`python -m bench …` in this process, without fixtures, which hypothesis would share between examples."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["bench", *map(str, arguments)]),
        mock.patch("bench.request.DEFAULT_EXECUTOR", "inline"),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        main()
    return Finished(int(end.value.code or 0), out.getvalue(), err.getvalue())


def refused(*arguments: object) -> str:
    """The one line of a command that was refused."""
    done = bench(*arguments)
    assert done.status == 2, (arguments, done)
    assert done.out == ""
    assert done.err.startswith("bench: ")
    assert done.err.count("\n") == 1, done.err
    assert "internal error" not in done.err
    return done.err


def is_solver(text: str) -> bool:
    try:
        labels = [create(label) for label in split_labels(text)]
    except SolverError:
        return False
    return bool(labels)


def are_photons(values: list[int | str]) -> bool:
    try:
        return bool([read_photons(value) for value in values])
    except ValueError:
        return False


def one_of(words: str, choices: Any) -> bool:
    return all(word.strip() in choices for word in words.split(",") if word.strip()) and bool(words.strip(", "))


# ---- command lines


@st.composite
def bad_labels(draw: st.DrawFn) -> str:
    """A label with something wrong: its name, a parameter's name or value, or its brackets."""
    name = draw(st.sampled_from([*BUILT_IN, ""]) | WORDS)
    fields = list(solver_class(name).model_fields) if name in BUILT_IN else []
    keys = st.sampled_from([*fields, "beta", ""]) | WORDS
    values = st.sampled_from(["-1", "nan", "inf", "1e999", "none", "", "[", "0x10", "9" * 5000]) | WORDS
    items = draw(st.lists(st.tuples(keys, st.sampled_from(["=", "==", ":", ""]), values), max_size=3))
    label = name + draw(st.sampled_from(["[", "", "[["])) + ",".join(map("".join, items)) + draw(st.sampled_from("]["))
    assume(not is_solver(label))
    return label


def numbers(low: int, high: int) -> st.SearchStrategy[object]:
    """What is no whole number from `low` to `high`."""
    outside = st.integers(max_value=low - 1) | st.integers(min_value=high + 1)
    return outside | st.sampled_from(["many", "1.5", "nan", "inf", "0x1", "-", "1;2"])


def others(*choices: str) -> st.SearchStrategy[str]:
    return WORDS.filter(lambda word: word not in choices)


PLACES = st.sampled_from(["/nowhere/at/all", "/dev/null/x", "a" * 300])
BAD_OPTIONS: dict[str, st.SearchStrategy[object]] = {
    "--solvers": bad_labels(),
    "--variants": WORDS.filter(lambda words: not one_of(words, VARIANTS)),
    "--images": numbers(1, 1000),
    "--seed": numbers(0, 2**63 - 1) | st.sampled_from(["1,1", ",", "1,x"]),
    "--dataset": others(*DATASETS),
    "--photons": st.floats(max_value=0, allow_subnormal=False)
    | st.floats(min_value=2e18)
    | st.sampled_from(["nan", "many", "1e5x"]),
    "--threads": st.integers(max_value=0) | st.sampled_from(["two", "1.5", ""]),
    "--config": PLACES,
    "--output": st.sampled_from(["", "/dev/null/x", "/dev/null"]),
}
ONLY_OF_A_RUN: dict[str, st.SearchStrategy[object]] = {
    "--split": others(*SPLITS),
    "--device": others("cpu", "cuda"),
    "--backend": others("auto", "numpy", "torch", "cupy"),
    "--precision": others("float32", "float64"),
    "--shard": st.integers(max_value=0) | st.sampled_from(["all", "1.5", ""]),
    "--data-dir": PLACES | st.just(""),
    "--executor": others("inline", "processes", "dask"),
    "--workers": st.integers() | st.sampled_from(["nan", "true", ""]),  # which one process has not
    "--timeout": st.floats() | st.sampled_from(["1e400", "never", ""]),
    "--dask-scheduler": WORDS,
}
GOOD_OPTIONS = {"--dataset": "sample", "--solvers": "er[iterations=1]", "--variants": "none", "--images": 1}


@st.composite
def bad_runs(draw: st.DrawFn) -> list[object]:
    """`bench run` or `bench baseline` with a bad option or two among good ones."""
    command = draw(st.sampled_from(["run", "run", "baseline"]))
    bad = BAD_OPTIONS | (ONLY_OF_A_RUN if command == "run" else {})
    names = draw(st.lists(st.sampled_from(sorted(bad)), min_size=1, max_size=2, unique=True))
    options = GOOD_OPTIONS | {name: draw(bad[name]) for name in names}
    if "--data-dir" in names and "--dataset" not in names:
        options["--dataset"] = "fashion_mnist"  # the sample needs no folder
    return [command, *(f"{name}={value}" for name, value in options.items())]


@st.composite
def bad_trainings(draw: st.DrawFn) -> list[object]:
    """`bench train` with one bad option among good ones."""
    bad = {
        "--solver": others("unet_a", "unet_b"),
        "--variant": others(*VARIANTS),
        "--photons": st.sampled_from(["few", "1e9:1e3", "1e3:", ":", "0", "nan", "1:2:3"]),
        "--frame": st.sampled_from(["wide", "0", "9x", "-1", "27"]),
        "--precision": others("auto", "32-true", "bf16-mixed"),
        "--accelerator": others("auto", "cpu", "cuda"),
        "--dataset": others(*DATASETS),
        "--data-dir": PLACES,
        "--devices": others("auto").filter(lambda text: not text.isdigit()) | st.integers(max_value=0),
        "--images": st.integers(max_value=-1) | st.just("many"),
        "--seed": numbers(0, 2**63 - 1),
        "--epochs": numbers(1, 10**6),
        "--batch": numbers(1, 10**6),
        "--threads": numbers(0, 1024),
        "--learning-rate": st.floats(max_value=0) | st.sampled_from(["nan", "inf", "1e400", "fast"]),
    }
    name = draw(st.sampled_from(sorted(bad)))
    options = {"--solver": "unet_a", "--variant": "none", "--dataset": "sample", name: draw(bad[name])}
    return ["train", *(f"{name}={value}" for name, value in options.items())]


@pytest.mark.slow
@given(bad_runs())
@many
def test_a_bad_option_of_a_run_is_refused_and_nothing_is_written(tmp_path_factory, arguments):
    output = tmp_path_factory.mktemp("refused") / "out"
    elsewhere = [f"--output={output}"] * (not any(str(word).startswith("--output") for word in arguments))
    refused(*arguments, *elsewhere)
    assert not output.exists()


@given(bad_trainings())
@many
def test_a_bad_option_of_a_training_is_refused_and_nothing_is_written(tmp_path_factory, arguments):
    output = tmp_path_factory.mktemp("refused") / "out"
    refused(*arguments, f"--output={output}")
    assert not output.exists()


COMMANDS = ("run", "train", "list", "compare", "check", "baseline", "verify")


@given(st.sampled_from(COMMANDS) | WORDS, st.lists(WORDS | st.sampled_from(["--output", "--seed", "--"]), max_size=3))
@many
def test_words_that_are_no_command_are_refused(command, words):
    assume(command != "" and "--help" not in (command, *words))
    assume(command != "list" or not {*words} & {"solvers", "variants", "datasets"})
    assume(command not in ("run", "baseline") or "--output" not in words[:-1])  # which need no more than its name
    refused(command, *words)


# ---- configs

LISTS = st.lists(st.integers() | WORDS, max_size=2)
TOO_SMALL = st.integers(max_value=-1) | st.floats(max_value=-1, allow_infinity=False)
NAMES = (
    st.integers()
    | st.floats()
    | st.booleans()
    | LISTS
    | others(*DATASETS, *SPLITS, "float32", "float64", "cpu", "cuda")
)
COUNTS = TOO_SMALL | LISTS | st.sampled_from(["", "many", 1.5, False, True])
WRONG: dict[str, st.SearchStrategy[object]] = {
    **dict.fromkeys(("dataset", "split", "precision", "device"), NAMES),
    **dict.fromkeys(("images", "threads", "shard"), COUNTS),
    "photons": TOO_SMALL
    | LISTS.filter(lambda values: not are_photons(values))
    | st.sampled_from(["", "many", float("nan"), float("inf"), False, True]),
    "seed": TOO_SMALL | st.lists(LISTS, min_size=1, max_size=2) | st.sampled_from(["", "many", 1.5, [], True, [True]]),
    "solvers": st.integers()
    | WORDS.filter(lambda text: not is_solver(text))
    | st.lists(st.integers() | bad_labels(), max_size=2),
    "variants": st.integers()
    | WORDS.filter(lambda words: not one_of(words, VARIANTS))
    | st.lists(st.integers() | others(*VARIANTS), max_size=2),
}
KEYS = st.sampled_from(sorted(WRONG))


@given(KEYS.flatmap(lambda key: st.tuples(st.just(key), WRONG[key])) | st.tuples(others(*WRONG), WORDS))
@many
def test_a_config_with_something_wrong_is_refused(tmp_path_factory, option):
    key, value = option
    assume(key in WRONG or key.replace("-", "_") not in Sweep.model_fields)
    folder = tmp_path_factory.mktemp("config")
    (folder / "sweep.toml").write_text(f"{json.dumps(key)} = {toml(value)}\n", encoding="utf-8")
    refused("run", "--config", folder / "sweep.toml", "--output", folder / "out")
    assert not (folder / "out").exists()


def toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str | bool) else str(value)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: ("x = " + text).encode("utf-8", "replace")))
@many
def test_a_config_that_is_anything_is_refused(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("config")
    (folder / "sweep.toml").write_bytes(content)
    assume(content.strip() and not content.strip().startswith(b"#"))
    refused("run", "--config", folder / "sweep.toml", "--output", folder / "out")
    assert not (folder / "out").exists()


# ---- files


@st.composite
def damages(draw: st.DrawFn) -> Any:
    """A way to damage bytes: cut short, one bit turned, a stretch overwritten, or replaced altogether."""
    where, bit = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(0, 7))
    junk = draw(st.binary(min_size=1, max_size=40))
    kind = draw(st.sampled_from(["cut", "turn", "overwrite", "replace"]))

    def damage(good: bytes) -> bytes:
        position = int(where * len(good))
        turned = bytes([good[position] ^ (1 << bit)])
        return {
            "cut": good[:position],
            "turn": good[:position] + turned + good[position + 1 :],
            "overwrite": good[:position] + junk + good[position + len(junk) :],
            "replace": junk,
        }[kind]

    return damage


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run, a baseline and data, all in order."""
    folder = tmp_path_factory.mktemp("files")
    rows = result_rows("er[iterations=1]", np.linspace(0, 1, 20))
    write_run(folder / "run", rows)
    write_baseline(Baseline({"images": 20}, {"cores": 2}, "0.1.0", (), rows), folder / "baseline.csv")
    shutil.copytree(SAMPLE_FOLDER, folder / "data")
    assert bench("check", "--baseline", folder / "baseline.csv", "--current", folder / "run").status == 0
    return folder


@given(damages())
@many
def test_a_damaged_baseline_is_refused(folder, damage):
    good = (folder / "baseline.csv").read_bytes()
    bad = damage(good)
    assume(bad.rstrip() != good.rstrip())
    (folder / "bad.csv").write_bytes(bad)
    line = refused("check", "--baseline", folder / "bad.csv", "--current", folder / "run")
    assert str(folder / "bad.csv") in line


@given(damages())
@many
def test_a_damaged_run_is_refused(folder, damage):
    good = (folder / "run" / FILE).read_bytes()
    bad = damage(good)
    assume(bad != good)
    shutil.copytree(folder / "run", folder / "bad", dirs_exist_ok=True)
    (folder / "bad" / FILE).write_bytes(bad)
    line = refused("check", "--baseline", folder / "baseline.csv", "--current", folder / "bad")
    assert str(folder / "bad" / FILE) in line


@given(damages(), st.sampled_from(["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]))
@many
def test_damaged_data_are_refused_and_named(folder, damage, name):
    good = gzip.decompress((SAMPLE_FOLDER / name).read_bytes())
    bad = damage(good)
    assume(bad != good)
    (folder / "data" / name).write_bytes(gzip.compress(bad, 0))
    with mock.patch("datasets.fashion_mnist._FULL", _sample_as_full()):
        line = refused("run", "--dataset", "fashion_mnist", "--data-dir", folder / "data", "--images", 1,
                       "--output", folder / "out")  # fmt: skip
    shutil.copy(SAMPLE_FOLDER / name, folder / "data" / name)
    assert str(folder / "data" / name) in line


@given(damages(), st.sampled_from(["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]))
@many
def test_damaged_archives_are_refused_and_named(folder, damage, name):
    good = (SAMPLE_FOLDER / name).read_bytes()
    bad = damage(good)
    (folder / "data" / name).write_bytes(bad)
    with mock.patch("datasets.fashion_mnist._FULL", _sample_as_full()):
        done = bench("run", "--dataset", "fashion_mnist", "--data-dir", folder / "data", "--images", 1001,
                     "--output", folder / "out")  # fmt: skip
    shutil.copy(SAMPLE_FOLDER / name, folder / "data" / name)
    assert done.status == 2  # the archive, or else too many images: its header has bits that do not matter
    assert done.err.count("\n") == 1


@given(damages())
@settings(many, max_examples=20)
def test_a_damaged_claim_of_a_run_folder_is_refused_or_says_the_same(folder, damage):
    """`sweep.json` says to whom a folder belongs; some of it a new run may change, as it may change its options."""
    command = ["run", "--no-figures", *(f"{name}={value}" for name, value in GOOD_OPTIONS.items())]
    claim = folder / "claimed" / "sweep.json"
    if not claim.exists():
        assert bench(*command, f"--output={claim.parent}").status == 0
    good = claim.read_bytes()
    claim.write_bytes(damage(good))
    done = bench(*command, f"--output={claim.parent}")
    claim.write_bytes(good)
    assert done.status in (0, 2), done
    assert done.status == 0 or done.err.count("\n") == 1


# ---- plug-ins

ERRORS = (
    ValueError("the [/dial] was at [bold]eleven"),
    ZeroDivisionError("first\n\nsecond"),
    RecursionError(),
    MemoryError(),
    KeyError("é"),
    ImportError("no such module"),
    AssertionError(),
    UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"),
    SystemExit(0),
    SystemExit(1),
    SystemExit("bye"),
)
ANSWERS = st.sampled_from([None, 0, "text", [], {}, object(), np.zeros(3), float("nan")])


@dataclass(frozen=True)
class Point:
    """An entry point, as far as the registry looks at it."""

    load: Callable[[], object]
    value: str = "odd:Odd"


def raising(error: BaseException) -> Callable[..., Any]:
    def call(*arguments: object, **options: object) -> Any:
        raise error

    return call


@st.composite
def odd_plugins(draw: st.DrawFn) -> Point:
    """A plug-in that raises an error, or answers with anything, at one place."""
    place = draw(st.sampled_from(["load", "solve", "prepare", "fields"]))
    error = draw(st.sampled_from(ERRORS))
    answer = draw(ANSWERS)
    act = draw(st.sampled_from([raising(error), lambda *arguments, **options: answer]))
    if place == "load":
        return Point(act)
    fields: dict[str, Any] = {place: act} if place != "fields" else {}
    if place == "fields":
        fields = {"model_post_init": raising(error)}
    return Point(lambda: type("Odd", (Blank,), {"__module__": "odd", "name": "odd", "summary": "odd", **fields}))


@pytest.mark.slow
@given(odd_plugins())
@settings(many, max_examples=max(10, CASES // 5))  # each is a whole run
def test_a_plug_in_that_does_anything_is_a_failed_solver_or_refused(tmp_path_factory, point):
    output = tmp_path_factory.mktemp("odd") / "out"
    with mock.patch("solvers.registry._plugins", return_value={"odd": point}):
        done = bench("run", "--no-figures", *(f"{k}={v}" for k, v in (GOOD_OPTIONS | {"--solvers": "odd"}).items()),
                     f"--output={output}")  # fmt: skip
        listed = bench("list", "solvers")
    assert done.status in (0, 2, 3), done
    assert "Traceback" not in done.err
    assert (output / "summary.csv").exists() == (done.status != 2)
    assert listed.status == 0, listed


def _sample_as_full() -> dict[str, Any]:
    from datasets.fashion_mnist import _SAMPLE

    return _SAMPLE
