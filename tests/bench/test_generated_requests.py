"""Bad command lines, configs and files by the hundred: one line, the right exit status, and never a traceback."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from conftest import Finished
from doubles import result_rows
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bench.baseline import Baseline, write_baseline
from bench.cli import main
from bench.rows import FILE
from bench.sweep import Sweep
from datasets import DATASETS, SPLITS, VARIANTS
from datasets.fashion_mnist import SAMPLE_FOLDER
from solvers import SolverError, create
from solvers.labels import split_labels
from solvers.registry import BUILT_IN, solver_class

# A process cannot be given a NUL, and its other arguments must be encodable.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
many = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


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
        mock.patch("bench.sweep.DEFAULT_EXECUTOR", "inline"),
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
}
ONLY_OF_A_RUN: dict[str, st.SearchStrategy[object]] = {
    "--split": others(*SPLITS),
    "--device": others("cpu", "cuda"),
    "--backend": others("auto", "numpy", "torch", "cupy"),
    "--precision": others("float32", "float64"),
    "--shard": st.integers(max_value=0) | st.sampled_from(["all", "1.5", ""]),
    "--data-dir": PLACES,
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


@given(bad_runs())
@many
def test_a_bad_option_of_a_run_is_refused_and_nothing_is_written(tmp_path_factory, arguments):
    output = tmp_path_factory.mktemp("refused") / "out"
    refused(*arguments, f"--output={output}")
    assert not output.exists()


COMMANDS = ("run", "train", "list", "compare", "check", "baseline", "verify")


@given(st.sampled_from(COMMANDS) | WORDS, st.lists(WORDS | st.sampled_from(["--output", "--seed", "--"]), max_size=3))
@many
def test_words_that_are_no_command_are_refused(command, words):
    assume(command != "" and "--help" not in (command, *words))
    assume(command != "list" or not {*words} & {"solvers", "variants", "datasets"})
    assume(command != "run" or "--output" not in words[:-1])  # a run needs no more than the name of its folder
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
COUNTS = TOO_SMALL | LISTS | st.sampled_from(["", "many", 1.5, False])
WRONG: dict[str, st.SearchStrategy[object]] = {
    **dict.fromkeys(("dataset", "split", "precision", "device"), NAMES),
    **dict.fromkeys(("images", "threads", "shard"), COUNTS),
    "photons": TOO_SMALL | LISTS | st.sampled_from(["", "many", float("nan"), float("inf"), False]),
    "seed": TOO_SMALL | st.lists(LISTS, min_size=1, max_size=2) | st.sampled_from(["", "many", 1.5, []]),
    "solvers": st.integers() | WORDS | st.lists(st.integers() | bad_labels(), max_size=2),
    "variants": st.integers() | WORDS | st.lists(st.integers() | others(*VARIANTS), max_size=2),
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
    (folder / "run").mkdir()
    rows.to_parquet(folder / "run" / FILE)
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
def test_a_damaged_run_is_refused_or_has_nothing_to_compare(folder, damage):
    """Not every bit of a Parquet file matters, and a digest may become another: then there is less to compare."""
    good = (folder / "run" / FILE).read_bytes()
    (folder / "bad").mkdir(exist_ok=True)
    (folder / "bad" / FILE).write_bytes(damage(good))
    done = bench("check", "--baseline", folder / "baseline.csv", "--current", folder / "bad")
    assert done.status in (0, 1, 2, 3, 4), done
    assert "Traceback" not in done.err
    assert done.err.count("\n") == (done.status in (2, 4))


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


def _sample_as_full() -> dict[str, Any]:
    from datasets.fashion_mnist import _SAMPLE

    return _SAMPLE
