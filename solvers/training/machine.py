"""What a training should know, and say, of the machine it runs on."""

from __future__ import annotations

import platform

import torch


def bf16_is_fast(device: str) -> bool:
    """True on recent GPUs and on CPUs with instructions for it: AMX, or AVX512-BF16 (twice as fast as float32 on a
    Zen 5). Where it has to be emulated, it takes half as long again as float32."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    instructions = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # no public names for them yet
    return any(getattr(torch.cpu, name, bool)() for name in instructions)


def describe(device: torch.device, count: int) -> str:
    """The class of a machine in words, without its name."""
    if device.type == "cuda":
        return f"{count} × {torch.cuda.get_device_name(device)}"
    instructions = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} CPU with {instructions}, {torch.get_num_threads()} threads"
