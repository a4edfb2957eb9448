"""The CUDA kernels compile for the GPUs they are meant for, and fit into their registers and shared memory."""

from __future__ import annotations

import nvrtc
import pytest

from solvers.cuda.plan import plan
from solvers.cuda.source import map_macros, options, size_macros, source

pytestmark = pytest.mark.skipif(nvrtc.compiler() is None, reason="no NVRTC: pip install nvidia-cuda-nvrtc")

SHARED = {"sm_80": 163 << 10, "sm_90": 227 << 10}  # bytes that a block may have
PER_MULTIPROCESSOR = {"sm_80": 164 << 10, "sm_90": 228 << 10}
RESERVED = 1 << 10  # bytes that the system takes of each block's
MAPS = ("er", "hio", "raar", "difference_map", "rrr")


def build_fused(grid, box, name, nonnegative, architecture):
    split = plan(grid, box)
    return nvrtc.build(source("projection"), options(split.macros() | map_macros(name, nonnegative)), architecture)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SHARED)
@pytest.mark.parametrize("name", MAPS)
def test_the_shared_memory_kernel_keeps_all_in_registers(name, architecture):
    found = build_fused((96, 96), (42, 42), name, True, architecture)
    assert found.cubin.startswith(b"\x7fELF")
    assert (found.spilled, found.stack) == (0, 0), found.log
    assert 2 * plan((96, 96), (42, 42)).threads * found.registers <= 65536, "two blocks to a multiprocessor"


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SHARED)
@pytest.mark.parametrize(("grid", "box"), [((64, 64), (28, 28)), ((90, 96), (42, 42)), ((128, 128), (64, 64))])
def test_so_does_it_nearly_for_other_sizes(grid, box, architecture):
    found = build_fused(grid, box, "rrr", False, architecture)
    allowed = 8 if grid == (128, 128) else 0  # two registers: 512 threads leave 128 to each
    assert found.spilled <= allowed, found.log
    assert plan(grid, box).shared_bytes <= SHARED[architecture]


@pytest.mark.parametrize("architecture", SHARED)
def test_two_blocks_share_a_multiprocessor_at_96_by_96(architecture):
    needed = 2 * (plan((96, 96), (42, 42)).shared_bytes + RESERVED)
    assert needed <= PER_MULTIPROCESSOR[architecture]


@pytest.mark.parametrize("architecture", SHARED)
@pytest.mark.parametrize("name", MAPS)
def test_the_kernels_around_cufft_compile(name, architecture):
    macros = size_macros((300, 162), (140, 80)) | map_macros(name, True)
    found = nvrtc.build(source("elementwise"), options(macros), architecture)
    assert (found.spilled, found.stack) == (0, 0), found.log


def test_a_mistake_is_reported_with_its_line():
    with pytest.raises(ValueError, match=r"kernel\.cu\(1\): error"):
        nvrtc.build("mistake", (), "sm_90")
