"""A shard's key changes with everything that can change its numbers, and with nothing else."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from doubles import Blank

import bench.executors.code
from bench.executors.closure import closure
from bench.store.keys import Keys
from bench.sweep.shard import Shard
from datasets.problem import COLUMNS, Problem
from solvers import Backend, SolverError

SHARD = Shard(Problem(dataset="sample", variant="shift_flip"), "unet_a", 0, 0, 2)
BACKEND = Backend("torch")


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The folder of the weights that come with the package, with a file for this solver."""
    monkeypatch.setattr("solvers.learned.trainable.Trainable.folder", tmp_path)
    for name in ("unet_a-default-flip", "unet_a-default-none", "mine"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"one")
    return tmp_path


def changed(**changes: object) -> Shard:
    """The shard with another solver, seed or block, or of a problem with another setting."""
    own = {name: value for name, value in changes.items() if name not in COLUMNS}
    setting = {name: value for name, value in changes.items() if name in COLUMNS}
    return replace(SHARD, **own, problem=Problem(**{**SHARD.problem.columns(), **setting}))


def key(shard: Shard = SHARD, backend: Backend = BACKEND, data: str = "data") -> str:
    return Keys(backend, data, [shard.solver], [shard.problem]).key(shard)


@pytest.mark.parametrize(
    "changes",
    [
        {"solver": "unet_b"},
        {"solver": "unet_a[preset=paper]"},
        {"variant": "none"},
        {"seed": 1},
        {"first": 2},
        {"count": 3},
        {"split": "train"},
        {"photons": 1e5},
        {"object": "complex"},
        {"frame": 40},
        {"grid": 100},
        {"mask": "beamstop[width=1]"},
    ],
    ids=str,
)
def test_another_shard_has_another_key(weights, changes):
    assert key(changed(**changes)) != key()


def test_the_images_that_leave_a_picture_do_not_count(weights):
    assert key(changed(kept=(0, 1))) == key()


def test_other_data_precision_or_arrays_make_another_key(weights):
    assert key(data="others") != key()
    assert key(backend=replace(BACKEND, precision="float64")) != key()
    assert key(backend=replace(BACKEND, name="numpy")) != key()
    assert key(backend=replace(BACKEND, threads=7)) == key()


def test_other_weights_make_another_key_for_the_variants_that_use_them(weights):
    on_none = changed(variant="none")
    before, before_on_none = key(), key(on_none)
    (weights / "unet_a-default-flip.safetensors").write_bytes(b"two")
    assert key() != before
    assert key(on_none) == before_on_none


def test_a_file_that_a_parameter_names_counts_by_its_content(weights):
    shard = replace(SHARD, solver=f"unet_a[weights={weights / 'mine.safetensors'}]")
    before = key(shard)
    (weights / "mine.safetensors").write_bytes(b"two")
    assert key(shard) != before


def test_the_spelling_of_a_label_does_not_count(weights):
    spellings = ("rrr", "rrr[beta=0.6]", "rrr[ beta = 0.60 ]", "rrr[starts=1,nonneg=False]")
    assert len({key(replace(SHARD, solver=label)) for label in spellings}) == 1


def test_text_that_happens_to_be_the_name_of_a_file_is_only_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shard = replace(SHARD, solver="rrr")
    before = key(shard)
    (tmp_path / "box").write_text("a file with the name of a support")
    assert key(shard) == before


def test_the_kernels_that_are_asked_for_count(weights, monkeypatch):
    monkeypatch.delenv("PHASEBENCH_KERNELS", raising=False)
    before = key()
    monkeypatch.setenv("PHASEBENCH_KERNELS", "cufft")
    assert key() != before


def test_the_cuda_sources_count(monkeypatch):
    from solvers.projection.rrr import RelaxedReflectReflect

    data = closure(["solvers.projection.rrr"]).data
    assert {"solvers.cuda/projection.cu", "solvers.cuda/elementwise.cu", "solvers.cuda/maps.cuh"} <= set(data)
    before = bench.executors.code.code_digest(RelaxedReflectReflect)
    monkeypatch.setattr(bench.executors.code, "_DIGESTS", {})
    read = Path.read_bytes
    changed = lambda path: read(path) + b" " * (path.name == "projection.cu")  # noqa: E731
    monkeypatch.setattr(Path, "read_bytes", changed)
    assert bench.executors.code.code_digest(RelaxedReflectReflect) != before


def test_what_a_pipe_would_give_is_not_waited_for(weights):
    pipe = weights / "unet_b-default-shift_flip.safetensors"
    os.mkfifo(pipe)
    assert key(replace(SHARD, solver="unet_b"))


def test_a_plug_in_that_cannot_name_its_files_is_named(monkeypatch):
    class Forgetful(Blank):
        name = "forgetful"

        def files(self, problem=None):
            raise SystemExit(0)

    with pytest.raises(SolverError, match="'forgetful' cannot say which files it reads: SystemExit: 0"):
        bench.executors.code.file_digests(Forgetful(), [Problem()])


def test_the_compiled_kernels_count_where_they_serve(weights, monkeypatch):
    before = key()
    monkeypatch.setattr(bench.executors.code, "kernels", lambda: None)
    portable = key()
    if bench.executors.code.kernels.__name__ != "<lambda>":
        assert portable != before
    assert key() == portable


def test_code_that_is_written_again_is_read_again(tmp_path, monkeypatch):
    source = "from solvers.projection.er import ErrorReduction\n\nclass Mine(ErrorReduction):\n    name = 'mine'\n"
    file = tmp_path / "plug_in_of_mine.py"
    file.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    mine = importlib.import_module("plug_in_of_mine").Mine
    before = bench.executors.code.code_digest(mine)
    assert bench.executors.code.code_digest(mine) == before
    file.write_text(source + "    step = None\n")
    assert bench.executors.code.code_digest(mine) != before
    file.write_text(source)
    assert bench.executors.code.code_digest(mine) == before
