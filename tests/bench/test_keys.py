"""A shard's key changes with everything that can change its numbers, and with nothing else."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest

import bench.keys
from bench.keys import Keys
from bench.shard import Shard
from solvers import Backend

SHARD = Shard("unet_a", "shift_flip", 0, 0, 2, "test", None)
BACKEND = Backend("torch")


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The folder of the weights that come with the package, with a file for this solver."""
    monkeypatch.setattr("solvers.weights.FOLDER", tmp_path)
    for name in ("unet_a-default-flip", "unet_a-default-none", "mine"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"one")
    return tmp_path


def key(shard: Shard = SHARD, backend: Backend = BACKEND, data: str = "data") -> str:
    return Keys(backend, data).key(shard)


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
    ],
    ids=str,
)
def test_another_shard_has_another_key(weights, changes):
    assert key(replace(SHARD, **changes)) != key()


def test_other_data_precision_or_arrays_make_another_key(weights):
    assert key(data="others") != key()
    assert key(backend=replace(BACKEND, precision="float64")) != key()
    assert key(backend=replace(BACKEND, name="numpy")) != key()
    assert key(backend=replace(BACKEND, threads=7)) == key()


def test_other_weights_make_another_key_for_the_variants_that_use_them(weights):
    on_none = replace(SHARD, variant="none")
    before, before_on_none = key(), key(on_none)
    (weights / "unet_a-default-flip.safetensors").write_bytes(b"two")
    assert key() != before
    assert key(on_none) == before_on_none


def test_a_file_that_a_parameter_names_counts_by_its_content(weights):
    shard = replace(SHARD, solver=f"unet_a[weights={weights / 'mine.safetensors'}]")
    before = key(shard)
    (weights / "mine.safetensors").write_bytes(b"two")
    assert key(shard) != before


def test_the_compiled_kernels_count_where_they_serve(weights, monkeypatch):
    before = key()
    monkeypatch.setattr(bench.keys, "kernels", lambda: None)
    portable = key()
    if bench.keys.kernels.__name__ != "<lambda>":
        assert portable != before
    assert key() == portable


def test_code_that_is_written_again_is_read_again(tmp_path, monkeypatch):
    source = "from solvers.er import ErrorReduction\n\nclass Mine(ErrorReduction):\n    name = 'mine'\n"
    file = tmp_path / "plug_in_of_mine.py"
    file.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    mine = importlib.import_module("plug_in_of_mine").Mine
    before = bench.keys.code_digest(mine)
    assert bench.keys.code_digest(mine) == before
    file.write_text(source + "    step = None\n")
    assert bench.keys.code_digest(mine) != before
    file.write_text(source)
    assert bench.keys.code_digest(mine) == before
