"""`python -m bench.gpu_check`, as far as it goes without a GPU."""

from __future__ import annotations

import importlib.util
import sys

import emulator
import pandas as pd
import pytest

from bench import gpu_check
from bench.errors import Exit
from solvers import Backend, cuda
from solvers.cuda.cufft import FourierIterations
from solvers.cuda.fused import FusedKernel


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="CuPy is installed")
def test_without_cupy_it_says_so_in_one_line(capsys, tmp_path):
    assert gpu_check.main(["--output", str(tmp_path / "gpu")]) == Exit.SOLVER
    captured = capsys.readouterr()
    assert captured.err == "gpu-check: CuPy is not installed: pip install -e '.[gpu]'\n"
    assert captured.out == ""
    assert not (tmp_path / "gpu").exists()


def forget():
    FusedKernel.forget()
    FourierIterations.forget()
    cuda._unfit.cache_clear()


@pytest.fixture
def stand_in(monkeypatch):
    """A stand-in for CuPy, small sizes, and no clock."""
    if emulator.COMPILER is None:
        pytest.skip("no g++ to compile the kernels for a CPU")
    for name, module in emulator.cupy_stand_in().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(gpu_check, "Backend", lambda name, *_, **__: GPU if name == "cupy" else NUMPY)
    monkeypatch.setattr(gpu_check, "fft_pair", lambda batch, real: 0.25)
    monkeypatch.setattr(gpu_check, "GRID", (16, 12))
    monkeypatch.setattr(gpu_check, "BOX", (6, 5))
    monkeypatch.setattr(gpu_check, "CHECKED", [((16, 12), (6, 5))])
    monkeypatch.setattr(gpu_check, "CUFFT_ONLY", [((14, 15), (6, 5))])
    monkeypatch.setattr(gpu_check, "MAPS", ("hio",))
    monkeypatch.setattr(gpu_check, "BATCHES", (2,))
    monkeypatch.setattr(gpu_check, "FEW", (3,))
    monkeypatch.setattr(gpu_check, "LABEL", "er[nonneg=true,iterations=1]")
    monkeypatch.setattr(gpu_check, "build_kernels", lambda checked: [gpu_check.build_kernel(kind) for kind in checked])
    monkeypatch.setattr(gpu_check, "seconds", lambda work: 0.5 if work() is not None else 0)
    forget()
    yield
    forget()


GPU, NUMPY = emulator.GpuBackend(), Backend("numpy", precision="float64")


@pytest.mark.slow
def test_it_compares_times_and_writes_a_table_with_the_name_of_the_device(stand_in, tmp_path, capsys):
    status = gpu_check.main(["--output", str(tmp_path), "--images", "2"])
    captured = capsys.readouterr()
    assert status == Exit.FINE, captured.err
    table = pd.read_csv(tmp_path / "Stand-in-1.csv")
    errors = table[table["unit"] == "relative"]
    small = 4 + len(gpu_check.TIMED) - 1
    assert sorted(errors["way"]) == ["cufft"] * (small + 4) + ["fused"] * small + ["pursuit"] * small
    assert errors["what"].str.contains("masks and supports at 16x12").sum() == 2 * 3
    assert errors["value"].between(0, gpu_check.TOLERANCE).all()
    assert table["device"].eq("Stand-in 1").all()
    rates = table[table["what"] == "rrr+ iteration"].set_index("way")["value"]
    assert rates["fused"] == rates["cufft"] == 2 * gpu_check.ITERATIONS / 0.5
    assert set(table["what"]) >= {"rfft2 + irfft2", "rrr+ iteration over rfft2 + irfft2, best block of each"}
    for kind in ("rrr+ with masks", "rrr+ with supports", "rrr of complex images", "rrr of complex images with masks"):
        ways = table.loc[table["what"] == f"{kind} iteration", "way"]
        assert sorted(ways) == ["cufft", "fused", "portable"], kind
    assert "part solved" in set(table["unit"])


def test_a_kernel_that_is_wrong_is_a_regression(stand_in, tmp_path, capsys, monkeypatch):
    right = FusedKernel.iterate_and_check
    monkeypatch.setattr(FusedKernel, "iterate_and_check", lambda *a: tuple(1.01 * part for part in right(*a)))
    monkeypatch.setattr(gpu_check, "time_kernels", list)
    assert gpu_check.main(["--output", str(tmp_path), "--images", "0"]) == Exit.REGRESSION
    assert "gpu-check: error of hio at 16x12 is off by 0.01, more than 0.0001" in capsys.readouterr().err
