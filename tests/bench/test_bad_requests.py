"""Bad usage and bad input: one line that names the value, exit status 2, and nothing written or changed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from doubles import tree

from bench.errors import Exit
from datasets.fashion_mnist import SAMPLE_FOLDER
from solvers.compiled import kernels

GOOD = {"--dataset": "sample", "--solvers": "er[iterations=1]", "--variants": "none", "--images": 1, "--threads": 1}


def run_arguments(output: Path, changes: dict[str, object]) -> list[object]:
    options = GOOD | {"--output": output} | changes
    return ["run", "--no-figures", *(part for option in options.items() for part in option if part is not None)]


@pytest.fixture
def refused(bench, tmp_path):
    """Run a command, and check that it is refused as it should be; returns its one line."""

    def call(*arguments: object) -> str:
        before = tree(tmp_path)
        done = bench(*arguments)
        assert done.status == Exit.USAGE == 2
        assert done.out == ""
        assert done.err.startswith("bench: ")
        assert done.err.count("\n") == 1, done.err
        assert "Traceback" not in done.err
        assert tree(tmp_path) == before
        return done.err

    return call


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--solvers": "rrrr"}, ["'rrrr'", "choose from", "difference_map"]),
        ({"--solvers": "er,rrr[gamma=1]"}, ["'gamma'", "choose from", "beta"]),
        ({"--solvers": "rrr[beta=7]"}, ["beta", "7"]),
        ({"--solvers": "rrr[iterations=none]"}, ["iterations", "none"]),
        ({"--solvers": "rrr[beta=0.5"}, ["rrr[beta=0.5"]),
        ({"--solvers": "er,er"}, ["--solvers", "'er' is given twice"]),
        ({"--solvers": "rrr,rrr[ beta = 0.60 ]"}, ["--solvers", "'rrr'", "'rrr[ beta = 0.60 ]'", "the same solver"]),
        ({"--solvers": "unet_a[weights=/dev/zero]"}, ["--solvers", "/dev/zero", "not a regular file"]),
        ({"--solvers": "unet_a[weights=/tmp]"}, ["--solvers", "/tmp", "not a regular file"]),
        ({"--solvers": "unet_a[weights=none.safetensors]"}, ["--solvers", "none.safetensors", "no such file"]),
        ({"--solvers": "pnp[weights=none.safetensors]"}, ["--solvers", "none.safetensors", "no such file"]),
        ({"--solvers": f"unet_a[weights={__file__}]"}, ["--solvers", "is missing", "card"]),
        ({"--solvers": ""}, ["--solvers", "at least one"]),
        ({"--beamstop": -1}, ["--beamstop", "-1 is no width"]),
        ({"--variants": "mirror"}, ["'mirror'", "none, flip, shift, shift_flip"]),
        ({"--variants": "none,none"}, ["--variants", "'none' is given twice"]),
        ({"--variants": ","}, ["--variants", "at least one"]),
        ({"--images": 0}, ["--images", "0"]),
        ({"--images": -3}, ["--images", "-3"]),
        ({"--images": "many"}, ["--images"]),
        ({"--images": 1001}, ["--images 1001", "there are 1000"]),
        ({"--seed": -1}, ["--seed", "-1"]),
        ({"--seed": "x"}, ["--seed", "x"]),
        ({"--seed": "1,1"}, ["--seed", "1"]),
        ({"--seed": 2**70}, ["--seed", str(2**70)]),
        ({"--dataset": "mnist"}, ["'mnist'", "fashion_mnist, sample"]),
        ({"--split": "validation"}, ["'validation'", "train, test"]),
        ({"--photons": 0}, ["--photons", "0"]),
        ({"--photons": "-1e5"}, ["--photons", "-1e5"]),
        ({"--photons": "nan"}, ["--photons", "nan"]),
        ({"--photons": "inf"}, ["--photons", "inf"]),
        ({"--photons": "1e30"}, ["--photons", "1e30"]),
        ({"--photons": "1e400"}, ["--photons", "1e400"]),
        ({"--photons": "5e-324"}, ["--photons", "5e-324"]),
        ({"--device": "tpu"}, ["'tpu'", "cpu, cuda"]),
        ({"--backend": "jax"}, ["'jax'", "numpy, torch, cupy"]),
        ({"--backend": "numpy", "--device": "cuda"}, ["numpy", "cuda"]),
        ({"--precision": "float16"}, ["'float16'", "float32, float64"]),
        ({"--threads": 0}, ["--threads", "0"]),
        ({"--shard": 0}, ["--shard", "0"]),
        ({"--keep": "x"}, ["--keep", "'x'", "write 12 for the first twelve"]),
        ({"--keep": "-1"}, ["--keep", "'-1'"]),
        ({"--keep": "1.5"}, ["--keep", "'1.5'"]),
        ({"--keep": ","}, ["--keep", "names no image", "0 for none"]),
        ({"--keep": "0,x"}, ["--keep", "'x'", "3,17"]),
        ({"--keep": "0,1"}, ["--keep", "no image 1", "from 0 to 0"]),
        ({"--keep": "9" * 5000}, ["--keep"]),
        ({"--executor": "threads"}, ["'threads'", "inline, processes, dask"]),
        ({"--executor": "processes", "--workers": 0}, ["--workers", "0"]),
        ({"--executor": "inline", "--workers": 2}, ["--workers", "inline", "processes or dask"]),
        ({"--executor": "inline", "--timeout": 5}, ["--timeout", "inline", "processes or dask"]),
        ({"--executor": "processes", "--timeout": 0}, ["--timeout", "0"]),
        ({"--executor": "processes", "--timeout": "nan"}, ["--timeout", "nan"]),
        ({"--executor": "processes", "--timeout": "2147484"}, ["--timeout", "2000000", "2147484"]),
        ({"--executor": "processes", "--dask-scheduler": "tcp://h:1"}, ["--dask-scheduler", "processes", "dask"]),
        (
            {"--executor": "dask", "--dask-scheduler": "tcp://h:1", "--workers": 2},
            ["--dask-scheduler", "leave out --workers"],
        ),
        ({"--data-dir": "/nowhere/at/all", "--dataset": "fashion_mnist"}, ["/nowhere/at/all", "does not exist"]),
        ({"--data-dir": "/usr", "--dataset": "sample"}, ["'/usr'", "'sample' is part of this package"]),
        ({"--data-dir": "", "--dataset": "fashion_mnist"}, ["--data-dir", "empty"]),
        ({"--output": ""}, ["--output", "empty"]),
        ({"--config": "--images"}, ["--config", "a path was forgotten"]),
        ({"--images": "9" * 400}, ["--images"]),
        ({"--images": "9" * 5000}, ["--images"]),
        ({"--shard": "9" * 30}, ["--shard"]),
        ({"--colour": "red"}, ["--colour"]),
        ({"--output": None}, []),
    ],
    ids=lambda value: " ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_bad_option_is_refused_in_one_line(refused, tmp_path, changes, words):
    line = refused(*run_arguments(tmp_path / "out", changes))
    for word in words:
        assert word in line


def test_a_gpu_that_is_not_there_is_refused(refused, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    line = refused(*run_arguments(tmp_path / "out", {"--device": "cuda", "--backend": "torch"}))
    assert "cuda" in line
    assert "--device cpu" in line


def test_dask_that_is_not_installed_is_refused(refused, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install -e '.[dask]'" in refused(*run_arguments(tmp_path / "out", {"--executor": "dask"}))


@pytest.mark.parametrize("there", [False, True])
def test_the_status_of_a_folder_without_a_run_is_refused(refused, tmp_path, there):
    if there:
        (tmp_path / "out").mkdir()
    assert "holds no run" in refused("status", "--output", tmp_path / "out")


def test_an_output_that_is_a_file_is_refused_and_kept(refused, tmp_path):
    (tmp_path / "out").write_text("precious")
    assert "not a folder" in refused(*run_arguments(tmp_path / "out", {}))


def test_an_output_below_a_file_is_refused(refused, tmp_path):
    (tmp_path / "file").write_text("precious")
    assert "cannot be written" in refused(*run_arguments(tmp_path / "file" / "out", {}))


def test_a_folder_with_something_else_in_it_is_refused_and_kept(refused, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    assert "not empty" in refused(*run_arguments(tmp_path / "out", {}))


@pytest.mark.parametrize("content", ["", "{", "[1, 2]"])
def test_a_damaged_run_folder_is_refused_and_kept(refused, tmp_path, content):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sweep.json").write_text(content)
    line = refused(*run_arguments(tmp_path / "out", {}))
    assert str(tmp_path / "out") in line


@pytest.mark.parametrize(
    ("objects", "solver", "word"),
    [
        ("complex", "rrr[nonneg=true]", "complex objects"),
        ("complex", "rrr[relax=1]", "complex objects"),
        ("complex", "pnp", "complex"),
        ("complex", 'chain[stages="er + rrr[nonneg=true]"]', "complex objects"),
        ("real", "hio[phase_min=0,phase_max=1]", "real objects"),
    ],
)
def test_a_solver_for_other_objects_is_refused(refused, tmp_path, objects, solver, word):
    assert word in refused(*run_arguments(tmp_path / "out", {"--objects": objects, "--solvers": solver}))


@pytest.mark.parametrize("solver", ["unet_a", "unet_b", "pnp", "daps", "deep_image_prior", 'chain[stages="er + pnp"]'])
def test_a_solver_that_computes_in_float32_alone_is_not_run_in_float64(refused, tmp_path, solver):
    line = refused(*run_arguments(tmp_path / "out", {"--precision": "float64", "--solvers": solver}))
    assert "computes in float32, not in float64" in line


@pytest.mark.parametrize("changes", [{"--precision": "float64"}, {"--split": "train"}, {"--backend": "numpy"}])
def test_a_run_of_another_kind_is_refused_and_kept(bench, refused, tmp_path, changes):
    assert bench(*run_arguments(tmp_path / "out", {})).status == 0
    assert "another" in refused(*run_arguments(tmp_path / "out", changes))


def test_a_result_that_cannot_be_written_is_one_line(bench, tmp_path):
    assert bench(*run_arguments(tmp_path / "out", {})).status == 0
    (tmp_path / "out" / "summary.csv").unlink()
    (tmp_path / "out" / "summary.csv").mkdir()
    done = bench(*run_arguments(tmp_path / "out", {}))
    assert done.status == 2
    assert "summary.csv" in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_a_damaged_data_file_is_named(refused, tmp_path):
    data = shutil.copytree(SAMPLE_FOLDER, tmp_path / "data")
    (data / "t10k-images-idx3-ubyte.gz").write_bytes(b"nothing of the kind")
    line = refused(*run_arguments(tmp_path / "out", {"--dataset": "fashion_mnist", "--data-dir": data}))
    assert str(data / "t10k-images-idx3-ubyte.gz") in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("images = ", ["not TOML"]),
        (b"\xff\xfe", ["not a text in UTF-8"]),
        (b"#" * 2**21, ["cannot be read", "larger than 1048576 bytes"]),
        ("images = " + "9" * 5000, ["not TOML", "4300 digits"]),
        ("images = 0x" + "f" * 5000, ["--images", "thousands of digits"]),
        ("images = " + "[" * 5000, ["nested too deeply"]),
        ("images = true", ["--images", "true or false"]),
        ("photons = true", ["--photons", "true or false"]),
        ("seed = true", ["--seed", "true or false"]),
        ("seeds = [0, true]", ["--seed", "true or false"]),
        ("seed = 1\nseeds = [2, 3]", ["'seeds' twice"]),
        ('data-dir = "a"\ndata_dir = "b"', ["'data_dir' twice"]),
        ("photons = 1e400", ["--photons", "inf"]),
        ('colour = "red"', ["colour", "choose from", "solvers"]),
        ("images = 0", ["--images", "0"]),
        ('images = "many"', ["--images", "many"]),
        ('solvers = ["rrrr"]', ["'rrrr'"]),
        ("seed = -4", ["--seed", "-4"]),
    ],
)
def test_a_bad_config_is_named(refused, tmp_path, content, words):
    config = tmp_path / "sweep.toml"
    config.write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refused("run", "--config", config, "--output", tmp_path / "out")
    for word in words:
        assert word in line


def test_a_config_that_is_not_there_is_named(refused, tmp_path):
    assert "nowhere.toml" in refused("run", "--config", tmp_path / "nowhere.toml", "--output", tmp_path / "out")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_config_that_is_no_file_is_named_and_not_waited_for(refused, tmp_path, make):
    make(tmp_path / "sweep.toml")
    assert "not a regular file" in refused("run", "--config", tmp_path / "sweep.toml", "--output", tmp_path / "out")


@pytest.mark.parametrize(
    ("variable", "value", "choices"),
    [("PHASEBENCH_KERNELS", "protable", "portable or cufft"), ("PHASEBENCH_OFFLINE", "yes", "choose 1")],
)
def test_an_environment_variable_with_an_unknown_value_is_named(
    refused, tmp_path, monkeypatch, variable, value, choices
):
    kernels.cache_clear()
    monkeypatch.setattr("datasets.fashion_mnist.DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr("datasets.fashion_mnist.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv(variable, value)
    line = refused(*run_arguments(tmp_path / "out", {"--dataset": "fashion_mnist"}))
    assert f"{variable}='{value}'" in line
    assert choices in line


@pytest.mark.parametrize(
    "option",
    [
        "--devices=0",
        "--devices=several",
        f"--devices={9 * 10**20}",
        "--threads=-1",
        "--seed=-1",
        f"--seed={2**70}",
        "--learning-rate=nan",
        "--learning-rate=1e400",
        "--learning-rate=0",
        "--precision=float16",
        "--accelerator=abacus",
        "--epochs=0",
        f"--batch={10**30}",
        "--data-dir=/usr",
    ],
)
def test_a_bad_option_of_a_training_is_refused_in_one_line(refused, tmp_path, option):
    arguments = ["--solver", "unet_a", "--variant", "none", "--dataset", "sample", "--output", tmp_path / "out"]
    line = refused("train", *arguments, option)
    name, value = option.split("=")
    assert name in line or value in line


@pytest.mark.parametrize(
    ("arguments", "word"), [(["frobnicate"], "frobnicate"), (["list", "colours"], "colours"), (["list"], "")]
)
def test_a_bad_command_is_refused(refused, arguments, word):
    assert word in refused(*arguments)


def test_debug_shows_where_an_error_came_from_and_changes_no_status(bench, tmp_path):
    done = bench(*run_arguments(tmp_path / "out", {"--solvers": "rrrr"}), "--debug")
    assert done.status == 2
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("bench: --solvers: unknown solver 'rrrr'")


@pytest.mark.parametrize("error", [ZeroDivisionError("deep\ndown"), KeyError("x"), ValueError("ours"), MemoryError()])
def test_a_bug_has_a_status_of_its_own_which_is_not_that_of_a_regression(bench, monkeypatch, error):
    monkeypatch.setattr("bench.commands.list.show", lambda what: (_ for _ in ()).throw(error))
    done = bench("list", "solvers")
    assert done.status == Exit.BUG == 70
    assert done.err.count("\n") == 1
    assert type(error).__name__ in done.err
    assert "--debug" in done.err
    assert "Traceback" in bench("list", "solvers", "--debug").err


def test_without_a_command_the_help_is_shown(bench):
    done = bench()
    assert done.status == 2
    assert "Usage" in done.out + done.err
    assert "Traceback" not in done.err
