"""The CUDA kernels compile for the GPUs they are meant for, and fit into their registers and shared memory."""

from __future__ import annotations

import nvrtc
import pytest

from solvers.cuda.kind import Kind
from solvers.cuda.plan import plan
from solvers.cuda.source import options, source

pytestmark = pytest.mark.skipif(nvrtc.compiler() is None, reason="no NVRTC: pip install nvidia-cuda-nvrtc")

SHARED = {"sm_80": 163 << 10, "sm_90": 227 << 10}  # bytes that a block may have
PER_MULTIPROCESSOR = {"sm_80": 164 << 10, "sm_90": 228 << 10}
RESERVED = 1 << 10  # bytes that the system takes of each block's
MAPS = ("er", "hio", "raar", "difference_map", "rrr")


SIZE = (96, 96), (42, 42)
REAL, OTHER = {"nonnegative": True}, {"real": False}
KNOWN = {"masked": True, "supported": True}


def build_fused(kind, architecture):
    return nvrtc.build(source("projection"), options(kind.macros() | plan(kind).macros()), architecture)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SHARED)
@pytest.mark.parametrize(
    ("name", "known"),
    [
        *((name, REAL) for name in MAPS),
        *((name, known) for name in ("raar", "rrr") for known in (REAL | KNOWN, OTHER, OTHER | KNOWN)),
    ],
    ids=str,
)
def test_the_shared_memory_kernel_keeps_all_in_registers(name, known, architecture):
    kind = Kind(name, *SIZE, **known)
    found = build_fused(kind, architecture)
    assert found.cubin.startswith(b"\x7fELF")
    assert (found.spilled, found.stack) == (0, 0), found.log
    resident = 2 if kind.real else 1
    assert plan(kind).resident == resident
    assert resident * plan(kind).threads * found.registers <= 65536, "so many blocks to a multiprocessor"


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SHARED)
@pytest.mark.parametrize(("grid", "box"), [((64, 64), (28, 28)), ((90, 96), (42, 42)), ((128, 128), (64, 64))])
def test_so_does_it_nearly_for_other_sizes(grid, box, architecture):
    kind = Kind("rrr", grid, box)
    found = build_fused(kind, architecture)
    allowed = 8 if grid == (128, 128) else 0  # two registers: 512 threads leave 128 to each
    assert found.spilled <= allowed, found.log
    assert plan(kind).shared_bytes <= SHARED[architecture]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SHARED)
@pytest.mark.parametrize(("grid", "box"), [((64, 64), (28, 28)), ((90, 96), (42, 42)), ((96, 75), (31, 25))])
def test_and_of_complex_images(grid, box, architecture):
    kind = Kind("rrr", grid, box, real=False, **KNOWN)
    found = build_fused(kind, architecture)
    assert (found.spilled, found.stack) == (0, 0), found.log
    assert plan(kind).shared_bytes <= SHARED[architecture]


@pytest.mark.parametrize("architecture", SHARED)
@pytest.mark.parametrize(("known", "blocks"), [({}, 2), (KNOWN, 2), (OTHER | KNOWN, 1)], ids=str)
def test_as_many_blocks_of_96_by_96_as_registers_admit_share_a_multiprocessor(known, blocks, architecture):
    needed = blocks * (plan(Kind("rrr", *SIZE, **known)).shared_bytes + RESERVED)
    assert needed <= PER_MULTIPROCESSOR[architecture]


@pytest.mark.parametrize("architecture", SHARED)
@pytest.mark.parametrize("known", [REAL, REAL | KNOWN, OTHER, OTHER | KNOWN], ids=str)
@pytest.mark.parametrize("name", MAPS)
def test_the_kernels_around_cufft_compile(name, known, architecture):
    kind = Kind(name, (300, 162), (140, 80), **known)
    found = nvrtc.build(source("elementwise"), options(kind.macros()), architecture)
    assert (found.spilled, found.stack) == (0, 0), found.log


def test_a_mistake_is_reported_with_its_line():
    with pytest.raises(ValueError, match=r"kernel\.cu\(1\): error"):
        nvrtc.build("mistake", (), "sm_90")
